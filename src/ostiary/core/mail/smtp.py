"""Owns the delivery of one mail by SMTP, and the telling apart of "not now" and "never".

Only a refusal of the recipient or of the message is final. A wrong password, a bad certificate or a refused sender is
the operator's to mend, and mails wait for that. What the server says is never repeated: it quotes addresses.
"""

import re
import ssl
from datetime import timedelta
from typing import Final

import aiosmtplib

from ostiary.core.mail.compose import Composed
from ostiary.core.mail.settings import MailSettings
from ostiary.core.outbox.outbox import Permanent, Temporary
from ostiary.kernel.errors import Misuse
from ostiary.storage import guard

_ENHANCED: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s|$)", re.ASCII)  # RFC 3463
_FINAL: Final = 500
_GOODBYE: Final = timedelta(seconds=2)


class SmtpTransport:
    """Hands mails to a mail server, one connection each.

    Args:
        settings: Where it is and how to talk to it.
        tls: Whom to trust; unless given, what this machine trusts.

    Raises:
        Misuse: no server is configured.
    """

    def __init__(self, settings: MailSettings, tls: ssl.SSLContext | None = None) -> None:
        if settings.smtp_host is None:
            raise Misuse("smtp_host is missing: name the mail server that takes our mails")
        self._settings = settings
        self._host = settings.smtp_host
        self._tls = tls or ssl.create_default_context()

    async def deliver(self, mail: Composed) -> None:
        """Hand the mail to the server.

        Raises:
            Temporary: it cannot be reached, is busy, or refuses us.
            Permanent: it refuses the recipient or the message for good.
        """
        guard.refuse_if_open("sending a mail")
        client = self._client()
        try:
            await self._connect(client)
            await client.send_message(mail.message, sender=mail.sender, recipients=[mail.to])
            await self._part(client)
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refusal("recipient refused", error.recipients[0]) from None
        except aiosmtplib.SMTPDataError as error:
            raise _refusal("message refused", error) from None
        except aiosmtplib.SMTPResponseException as error:
            raise Temporary(_status("server refused", error)) from None
        except aiosmtplib.SMTPNotSupported:
            raise Permanent("the server takes no international addresses (SMTPUTF8)") from None
        except (aiosmtplib.SMTPException, OSError, EOFError) as error:
            raise Temporary(f"connection failed: {type(error).__name__}") from None
        finally:
            client.close()

    @staticmethod
    async def _connect(client: aiosmtplib.SMTP) -> None:
        try:
            await client.connect()
        except aiosmtplib.SMTPAuthenticationError as error:
            raise Temporary(_status("smtp_user or smtp_password refused", error)) from None
        except aiosmtplib.SMTPException as error:
            # The library has no class of its own for a server without the extension that it was told to use.
            if type(error) in (aiosmtplib.SMTPException, aiosmtplib.SMTPNotSupported):
                raise Temporary("the server lacks STARTTLS or AUTH, which the settings ask for") from None
            raise

    def _client(self) -> aiosmtplib.SMTP:
        settings = self._settings
        sealed = settings.smtp_security != "none"
        return aiosmtplib.SMTP(
            hostname=self._host,
            port=settings.port,
            username=settings.smtp_user,
            password=settings.smtp_password.reveal() if settings.smtp_password else None,
            local_hostname=settings.sender.domain,  # else the resolver is asked for our name, on the event loop
            timeout=settings.mail_timeout.total_seconds(),
            use_tls=settings.smtp_security == "tls",
            start_tls=settings.smtp_security == "starttls",  # True refuses a server that does not offer it
            tls_context=self._tls if sealed else None,
        )

    @staticmethod
    async def _part(client: aiosmtplib.SMTP) -> None:
        # The server has taken the mail: whatever goes wrong from here on must not send it again.
        try:
            await client.quit(timeout=_GOODBYE.total_seconds())
        except (aiosmtplib.SMTPException, OSError):
            return


def _refusal(what: str, error: aiosmtplib.SMTPResponseException) -> Temporary | Permanent:
    kind = Permanent if error.code >= _FINAL else Temporary
    return kind(_status(what, error))


def _status(what: str, error: aiosmtplib.SMTPResponseException) -> str:
    enhanced = _ENHANCED.match(error.message)
    return f"{what}: {error.code} {enhanced[0]}" if enhanced else f"{what}: {error.code}"
