"""Owns the delivery of mails by SMTP, and the telling apart of "not now" and "never".

Only a refusal of the recipient or of the message is final. A wrong password, a bad certificate or a refused sender is
the operator's to mend, and mails wait for that. What the server says is never stored or logged: it quotes addresses.
"""

import contextlib
import re
import ssl
from email.policy import SMTP, SMTPUTF8
from typing import Final

import aiosmtplib

from ostiary.core.mail.compose import Composed
from ostiary.core.mail.settings import MailSettings
from ostiary.core.mail.smtp_lines import Line, Lines
from ostiary.core.outbox.outbox import Permanent, Temporary
from ostiary.kernel.world import World
from ostiary.storage import guard

_ENHANCED: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s|$)", re.ASCII)  # RFC 3463
_FINAL: Final = 500
# "Log in first", "this way of logging in is too weak" and the like (RFC 4954 section 6): settings, not the recipient.
_ABOUT_US: Final = frozenset({530, 534, 535, 538})


class SmtpTransport:
    """Hands mails to a mail server. Several at once take a connection each; one after another share one.

    Args:
        settings: Where it is and how to talk to it.
        world: Says how long a connection has been idle.
        tls: Whom to trust; unless given, what this machine trusts.

    Raises:
        Misuse: no server is configured.
    """

    def __init__(self, settings: MailSettings, world: World, tls: ssl.SSLContext | None = None) -> None:
        self._lines = Lines(settings, world, tls)

    async def deliver(self, mail: Composed) -> str:
        """Hand the mail to the server.

        Returns:
            What the server answered. Once it is here, the server has the mail, whatever happens to the connection.

        Raises:
            Temporary: it cannot be reached, is busy, or refuses us.
            Permanent: it refuses the recipient or the message for good.
        """
        guard.refuse_if_open("sending a mail")
        try:
            line = await self._begin(mail)
            try:
                answer = await self._hand_over(line.client, mail)
            except aiosmtplib.SMTPResponseException:
                self._lines.give_back(line)  # it answered, so it goes on; RSET clears what is half done
                raise
            except BaseException:
                line.client.close()
                raise
        except aiosmtplib.SMTPRecipientRefused as error:
            raise _refusal("recipient refused", error) from None
        except aiosmtplib.SMTPDataError as error:
            raise _refusal("message refused", error) from None
        except aiosmtplib.SMTPAuthenticationError as error:
            raise Temporary(_status("smtp_user or smtp_password refused", error), _said(error)) from None
        except aiosmtplib.SMTPResponseException as error:
            raise Temporary(_status("server refused", error), _said(error)) from None
        except (aiosmtplib.SMTPException, OSError, EOFError) as error:
            raise Temporary(_broken(error), str(error)) from None
        self._lines.give_back(line)
        return answer

    async def close(self) -> None:
        """Part with the connections that are kept."""
        await self._lines.close()

    async def _begin(self, mail: Composed) -> Line:
        """A connection on which the server has taken MAIL FROM."""
        line = await self._lines.take()
        if not line.is_fresh:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError, EOFError):
                return await self._announce(line, mail)
            # Many servers count the mails of a connection, and a new one begins to count anew.
            line = await self._lines.open()
        return await self._announce(line, mail)

    @staticmethod
    async def _announce(line: Line, mail: Composed) -> Line:
        """Say MAIL FROM, with what is to be known beforehand; a connection that refuses is closed."""
        try:
            await line.client.mail(mail.sender, options=_options(line.client, mail), encoding="utf-8")
        except BaseException:
            line.client.close()
            raise
        return line

    @staticmethod
    async def _hand_over(client: aiosmtplib.SMTP, mail: Composed) -> str:
        await client.rcpt(mail.to, encoding="utf-8")
        answer = await client.data(_raw(client, mail))
        return f"{answer.code} {answer.message}"


def _is_international(mail: Composed) -> bool:
    return not (mail.sender + mail.to).isascii()


def _options(client: aiosmtplib.SMTP, mail: Composed) -> list[str]:
    """What MAIL FROM announces (RFC 1870, 6152, 6531)."""
    options = [f"SIZE={len(_raw(client, mail))}"] if client.supports_extension("size") else []
    if client.supports_extension("8bitmime"):
        options.append("BODY=8BITMIME")
    if _is_international(mail):
        if not client.supports_extension("smtputf8"):
            raise Permanent("the server takes no international addresses (SMTPUTF8)")
        options.append("SMTPUTF8")
    return options


def _raw(client: aiosmtplib.SMTP, mail: Composed) -> bytes:
    """The message in as many bits as the server takes."""
    policy = SMTPUTF8 if _is_international(mail) else SMTP
    return mail.message.as_bytes(
        policy=policy if client.supports_extension("8bitmime") else policy.clone(cte_type="7bit")
    )


def _refusal(what: str, error: aiosmtplib.SMTPResponseException) -> Temporary | Permanent:
    is_final = error.code >= _FINAL and error.code not in _ABOUT_US
    return (Permanent if is_final else Temporary)(_status(what, error), _said(error))


def _status(what: str, error: aiosmtplib.SMTPResponseException) -> str:
    enhanced = _ENHANCED.match(error.message)
    return f"{what}: {error.code} {enhanced[0]}" if enhanced else f"{what}: {error.code}"


def _said(error: aiosmtplib.SMTPResponseException) -> str:
    return f"{error.code} {error.message}"


def _broken(error: BaseException) -> str:
    """What is wrong with a connection, in our own words."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the server's certificate is not trusted: {cause.verify_message}"
        cause = cause.__cause__ or cause.__context__
    return f"connection failed: {type(error).__name__}"
