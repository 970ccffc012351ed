"""Owns connections to the mail server: opened as safely as the settings ask, kept for the next mail, parted with.

A password is only ever sent through TLS or to this machine. A kept connection is asked (RSET) before it is used, so
one that was dropped meanwhile costs a question and no mail.
"""

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import aiosmtplib

from ostiary.core.mail.settings import MailSettings
from ostiary.core.outbox.outbox import Temporary
from ostiary.kernel.errors import Misuse
from ostiary.kernel.world import World, span_micros

IDLE: Final = timedelta(seconds=15)
MOST_MAILS: Final = 100
_PROBE: Final = 5.0  # seconds; whoever is there answers RSET at once
_GOODBYE: Final = 2.0


@dataclass(eq=False, slots=True)
class Line:
    """One connection.

    Attributes:
        client: The library's side of it.
        mails: How many it has carried.
        idle_since: UTC microseconds.
    """

    client: aiosmtplib.SMTP
    mails: int = 0
    idle_since: int = field(default=0)

    @property
    def is_fresh(self) -> bool:
        """Whether it has not carried a mail yet."""
        return not self.mails

    async def part(self) -> None:
        """Say goodbye, as RFC 5321 section 4.1.1.10 asks, but wait for no answer that does not come."""
        with contextlib.suppress(aiosmtplib.SMTPException, OSError, EOFError):
            if self.client.is_connected:
                await self.client.quit(timeout=_GOODBYE)
        self.client.close()


class Lines:
    """The connections of one process.

    Args:
        settings: Where the server is and how to talk to it.
        world: Says how long a connection has been idle.
        tls: Whom to trust; unless given, what this machine trusts.

    Raises:
        Misuse: no server is configured.
    """

    def __init__(self, settings: MailSettings, world: World, tls: ssl.SSLContext | None = None) -> None:
        if settings.smtp_host is None:
            raise Misuse("smtp_host is missing: name the mail server that takes our mails")
        self._settings = settings
        self._host = settings.smtp_host
        self._world = world
        self._tls = tls or ssl.create_default_context()
        self._idle: list[Line] = []
        self._watch: asyncio.Task[None] | None = None

    async def take(self) -> Line:
        """A connection for one mail: a kept one that still answers, else a new one.

        Raises:
            Temporary: the server does not offer what the settings ask for.
            aiosmtplib.SMTPException, OSError, EOFError: it cannot be reached or refuses us.
        """
        while self._idle:
            line = self._idle.pop()  # the one used last; the others get old and go
            if self._is_old(line):
                await line.part()
                continue
            try:
                await line.client.rset(timeout=_PROBE)
            except (aiosmtplib.SMTPException, OSError, EOFError):
                line.client.close()
                continue
            except BaseException:
                line.client.close()
                raise
            return line
        return await self.open()

    def give_back(self, line: Line) -> None:
        """Keep a connection for the next mail; what goes on in it must have come to an end."""
        line.mails += 1
        if not line.client.is_connected or line.mails >= MOST_MAILS:
            line.client.close()
            return
        line.idle_since = self._world.micros()
        self._idle.append(line)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._let_go())

    async def close(self) -> None:
        """Part with every kept connection."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        idle, self._idle = self._idle, []
        await asyncio.gather(*(line.part() for line in idle))

    def _is_old(self, line: Line) -> bool:
        return self._world.micros() - line.idle_since >= span_micros(IDLE)

    async def _let_go(self) -> None:
        """Part with what was idle for too long: servers count connections."""
        while self._idle:
            await self._world.sleep(IDLE / 3)
            old = [line for line in self._idle if self._is_old(line)]
            self._idle = [line for line in self._idle if line not in old]
            await asyncio.gather(*(line.part() for line in old))

    # ── opening ──

    async def open(self) -> Line:
        """A new connection, sealed and logged in as the settings ask.

        Raises:
            Temporary: the server does not offer what the settings ask for.
            aiosmtplib.SMTPException, OSError, EOFError: it cannot be reached or refuses us.
        """
        settings = self._settings
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=settings.port,
            local_hostname=settings.helo_name,  # else the resolver is asked for our name, on the event loop
            timeout=settings.mail_timeout.total_seconds(),
            use_tls=settings.smtp_security == "tls",
            start_tls=False,  # done below, and judged
            tls_context=self._tls if settings.smtp_security != "none" else None,
        )
        try:
            await client.connect()
            await self._greet(client)
            is_sealed = settings.smtp_security == "tls" or await self._seal(client)
            if settings.smtp_user is not None and settings.smtp_password is not None:
                await self._log_in(
                    client, settings.smtp_user, settings.smtp_password.reveal(), is_sealed=is_sealed
                )
        except BaseException:
            client.close()
            raise
        return Line(client)

    @staticmethod
    async def _greet(client: aiosmtplib.SMTP) -> None:
        try:
            await client.ehlo()
        except aiosmtplib.SMTPHeloError:
            await client.helo()  # a server of the last century; it has no extensions

    async def _seal(self, client: aiosmtplib.SMTP) -> bool:
        """Turn to TLS if the settings want it, and say whether that was done."""
        if self._settings.smtp_security == "none":
            return False
        if not client.supports_extension("starttls"):
            if self._settings.smtp_security == "opportunistic":
                return False
            raise Temporary("the server lacks STARTTLS, which smtp_security asks for")
        await client.starttls()
        await self._greet(client)  # what was said in clear counts for nothing (RFC 3207 section 4.2)
        return True

    async def _log_in(self, client: aiosmtplib.SMTP, user: str, password: str, *, is_sealed: bool) -> None:
        if not (is_sealed or self._settings.is_local):
            raise Temporary("the server offers no TLS, and smtp_password is not sent as clear text")
        if not client.supports_extension("auth"):
            raise Temporary("the server lacks AUTH, which smtp_user asks for")
        await client.login(user, password)
