"""Owns mail servers for tests: a real one (aiosmtpd) with a temper, and a rude one that breaks off."""

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope

USER, PASSWORD = "mailer", "correct horse"


@dataclass
class Temper:
    """How the server answers; the lists are used up from the front, then it accepts.

    Attributes:
        most: How many mails it takes on one connection, and what it answers to the next MAIL FROM.
        hold: Until this is set it answers no message.
    """

    recipient: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    sender: list[str] = field(default_factory=list)
    most: tuple[int, str] = (1_000_000, "")
    hold: asyncio.Event | None = None


@dataclass
class MailServer:
    """A running server and what it has accepted."""

    port: int = 0
    temper: Temper = field(default_factory=Temper)
    accepted: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    used_tls: list[bool] = field(default_factory=list)
    used_login: list[bool] = field(default_factory=list)
    tries: int = 0
    holding: int = 0
    connections: int = 0
    logins: int = 0
    names: list[str] = field(default_factory=list)
    sessions: list[SMTP] = field(default_factory=list)
    listener: asyncio.Server | None = None

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return sum(one.transport is not None and not one.transport.is_closing() for one in self.sessions)

    def stop(self) -> None:
        """Listen no more, and drop every connection."""
        assert self.listener is not None
        self.listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Drop every connection without a word."""
        for one in self.sessions:
            if isinstance(one.transport, asyncio.Transport):
                one.transport.abort()

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Answer EHLO."""
        self.names.append(hostname)
        session.host_name = hostname
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Envelope, address: str, options: Any
    ) -> str:
        """Answer MAIL FROM."""
        self.tries += 1
        session.mails = getattr(session, "mails", 0) + 1
        if session.mails > self.temper.most[0]:
            return self.temper.most[1]
        if self.temper.sender:
            return self.temper.sender.pop(0)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Envelope, address: str, options: Any
    ) -> str:
        """Answer RCPT TO."""
        if self.temper.recipient:
            return self.temper.recipient.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:  # noqa: N802
        """Answer the end of the message."""
        if self.temper.hold is not None:
            self.holding += 1
            await self.temper.hold.wait()
        if self.temper.data:
            return self.temper.data.pop(0)
        parsed = message_from_bytes(envelope.original_content or b"", policy=default)
        assert isinstance(parsed, EmailMessage)
        self.accepted.append(parsed)
        self.envelopes.append((envelope.mail_from or "", list(envelope.rcpt_tos)))
        self.used_tls.append(_is_sealed(server))
        self.used_login.append(bool(session.authenticated))
        return "250 OK"


def _is_sealed(server: SMTP) -> bool:
    assert server.transport is not None
    return server.transport.get_extra_info("ssl_object") is not None


@asynccontextmanager
async def serve(
    temper: Temper,
    security: str,
    context: ssl.SSLContext,
    *,
    login: bool = False,
    international: bool = True,
    port: int = 0,
) -> AsyncIterator[MailServer]:
    """Run a real mail server in this loop.

    Args:
        temper: How it answers.
        security: "none", "starttls" or "tls".
        context: The server's certificate.
        login: Refuse whoever has not signed in.
        international: Offer SMTPUTF8.
        port: Where; 0 for any free one.
    """
    made = MailServer(temper=temper)

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        made.logins += 1
        is_right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=is_right, handled=False)

    def factory() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns that AUTH works only over TLS, which is what we want
            made.connections += 1
            session = SMTP(
                made,
                hostname="mail.test",
                tls_context=context if security == "starttls" else None,
                require_starttls=security == "starttls",
                authenticator=authenticate if login else None,
                auth_required=login,
                auth_require_tls=security == "starttls",
                enable_SMTPUTF8=international,
            )
            made.sessions.append(session)
            return session

    loop = asyncio.get_running_loop()
    server = await loop.create_server(factory, "127.0.0.1", port, ssl=context if security == "tls" else None)
    made.port, made.listener = server.sockets[0].getsockname()[1], server
    try:
        yield made
    finally:
        made.stop()
        await asyncio.sleep(0.02)


@dataclass
class RudeServer:
    """Speaks just enough SMTP to break off at a chosen place, a few times; afterwards nobody listens."""

    port: int = 0
    visits: int = 0


@asynccontextmanager
async def serve_rudely(where: str, port: int = 0) -> AsyncIterator[RudeServer]:
    """Run a server that misbehaves.

    Args:
        where: "stall" never answers DATA's end; "greet" stalls before the greeting; "mid-data" hangs up while the
            message comes in; "after-data" accepts the message and hangs up without a word.
        port: Where; 0 for any free one.
    """
    made = RudeServer()
    visitors: set[asyncio.Task[Any]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        visitors.add(task)
        made.visits += 1
        try:
            await _talk(where, reader, writer)
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(talk, "127.0.0.1", port)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in visitors:
            task.cancel()
        await asyncio.gather(*visitors, return_exceptions=True)


async def _talk(where: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if where == "greet":
        await asyncio.Event().wait()
    writer.write(b"220 rude.test ESMTP\r\n")
    while line := await reader.readline():
        verb = line[:4].upper()
        if verb != b"DATA":
            writer.write(b"250 OK\r\n")
            continue
        writer.write(b"354 go on\r\n")
        await reader.readline()
        if where == "mid-data":
            return
        await reader.readuntil(b"\r\n.\r\n")
        if where == "stall":
            await asyncio.Event().wait()
        writer.write(b"250 2.0.0 taken\r\n")
        await writer.drain()
        return


@dataclass
class OldServer:
    """A server of the last century: no EHLO, so no extensions; takes what it is told to take.

    Attributes:
        silent_to: A verb that it never answers, such as ``RSET``.
        accepted: The bytes of every message.
    """

    silent_to: str = ""
    port: int = 0
    connections: int = 0
    accepted: list[bytes] = field(default_factory=list)
    verbs: list[str] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one visitor."""
        writer.write(b"220 old.test\r\n")
        while line := await reader.readline():
            verb = line[:4].strip().decode().upper()
            self.verbs.append(verb)
            if verb == self.silent_to:
                continue
            if verb == "DATA":
                writer.write(b"354 go on\r\n")
                self.accepted.append(await reader.readuntil(b"\r\n.\r\n"))
            answers = {"EHLO": b"502 what?", "QUIT": b"221 bye"}
            writer.write(answers.get(verb, b"250 OK") + b"\r\n")


@asynccontextmanager
async def serve_as_of_old(silent_to: str = "") -> AsyncIterator[OldServer]:
    """Run it."""
    made = OldServer(silent_to)
    visitors: set[asyncio.Task[Any]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        visitors.add(task)
        made.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await made.talk(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in visitors:
            task.cancel()
        await asyncio.gather(*visitors, return_exceptions=True)
