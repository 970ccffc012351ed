"""Mails share a connection while it is good for it, and no password travels where somebody could read it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest

from ostiary.core.mail.smtp import SmtpTransport
from ostiary.core.mail.smtp_lines import IDLE, MOST_MAILS
from ostiary.core.outbox.outbox import Permanent, Temporary
from ostiary.kernel.world import World
from ostiary.testing.clock import TurnedClock
from tests.core.mail.conftest import Serve
from tests.core.mail.servers import PASSWORD, USER, MailServer, Temper, serve_as_of_old
from tests.core.mail.test_compose import greet
from tests.core.mail.test_smtp import MakeDesk, Tls, desk, mail_settings
from tests.core.outbox.places import Place, running, until

__all__ = ["desk"]  # a fixture
CREDENTIALS = {"smtp_user": USER, "smtp_password": PASSWORD}
# Resolves to this machine, but we do not take it for this machine.
ELSEWHERE = {"smtp_host": "127.1", "smtp_clear_text_ok": "yes"}


@pytest.fixture
def clock() -> TurnedClock:
    """A clock to let connections get old with."""
    return TurnedClock()


Connect = Callable[..., SmtpTransport]


@pytest.fixture
async def connect(clock: TurnedClock) -> AsyncIterator[Connect]:
    """Makes transports and closes them at the end."""
    async with AsyncExitStack() as stack:

        def make(
            port: int, security: str = "none", tls: ssl.SSLContext | None = None, **more: Any
        ) -> SmtpTransport:
            made = SmtpTransport(mail_settings(port, security, **more), World(clock), tls)
            stack.push_async_callback(made.close)
            return made

        yield make


async def send(transport: SmtpTransport, count: int = 1) -> None:
    """Send mails one after another."""
    mail = greet()
    for _ in range(count):
        await transport.deliver(mail)


@pytest.mark.parametrize(("security", "login"), [("none", False), ("starttls", True), ("tls", True)])
async def test_one_connection_carries_many(
    mail_server: Serve, connect: Connect, tls: Tls, security: str, login: bool
) -> None:
    """Ten mails, one connection, one handshake, one login."""
    server: MailServer = await mail_server(security=security, login=login)
    await send(connect(server.port, security, tls[1], **(CREDENTIALS if login else {})), 10)
    assert len(server.accepted) == 10
    assert server.connections == 1
    assert server.logins == login
    assert set(server.used_tls) == {security != "none"}


async def test_a_batch_needs_no_more_connections_than_are_busy(
    place: Place, desk: MakeDesk, mail_server: Serve
) -> None:
    """Forty mails from the outbox, eight at once: at most eight connections, and none of them fails."""
    server = await mail_server()
    made = desk(mail_settings(server.port))
    put = [await made.send() for _ in range(40)]
    async with running(made.worker()):
        await place.empty()
    assert sorted(mail["Message-ID"] for mail in server.accepted) == sorted(
        f"<{one}@example.org>" for one in put
    )
    assert server.connections <= place.outbox.settings.outbox_parallel
    assert server.tries == 40


async def test_a_dropped_connection_costs_no_mail(mail_server: Serve, connect: Connect) -> None:
    """The server hangs up between two mails: the second goes out at once, over a new connection."""
    server = await mail_server()
    transport = connect(server.port)
    for number in range(1, 4):
        await send(transport)
        assert server.connections == number
        server.hang_up()
        await until(lambda: not server.open)
    assert len(server.accepted) == 3


async def test_a_server_that_was_restarted_costs_no_mail(mail_server: Serve, connect: Connect) -> None:
    """Another server on the same port gets the next mail at the first try."""
    first = await mail_server()
    transport = connect(first.port)
    await send(transport)
    first.stop()
    second = await mail_server(port=first.port)
    await send(transport)
    assert [len(first.accepted), len(second.accepted)] == [1, 1]


async def test_an_idle_connection_is_parted_with(
    mail_server: Serve, connect: Connect, clock: TurnedClock
) -> None:
    """After fifteen seconds without a mail nothing is open; the next mail opens a new connection."""
    server = await mail_server()
    transport = connect(server.port)
    await send(transport, 2)
    assert (server.connections, server.open) == (1, 1)
    clock.turn(IDLE - timedelta(seconds=5))
    await asyncio.sleep(0.05)
    assert server.open == 1
    clock.turn(timedelta(seconds=5))
    await until(lambda: not server.open)
    await send(transport)
    assert (server.connections, len(server.accepted)) == (2, 3)


async def test_closing_parts_with_everything(mail_server: Serve, connect: Connect) -> None:
    """And a transport that was closed can still send."""
    server = await mail_server()
    transport = connect(server.port)
    await asyncio.gather(*(send(transport) for _ in range(3)))
    assert server.open == 3
    await transport.close()
    await until(lambda: not server.open)
    await send(transport)
    assert len(server.accepted) == 4


@pytest.mark.parametrize(
    "answer", ["421 4.7.0 enough for today", "452 4.5.3 too many mails", "550 5.7.1 too many"]
)
async def test_a_server_that_counts_mails_delays_none(
    mail_server: Serve, connect: Connect, answer: str
) -> None:
    """Whatever it says to the third MAIL FROM of a connection, that mail goes out over the next one."""
    server = await mail_server(Temper(most=(2, answer)))
    await send(connect(server.port), 7)
    assert (len(server.accepted), server.connections) == (7, 4)


async def test_a_connection_is_not_used_for_ever(mail_server: Serve, connect: Connect) -> None:
    """A hundred mails are enough, for servers that would not say so."""
    server = await mail_server()
    await send(connect(server.port), MOST_MAILS + 1)
    assert server.connections == 2


async def test_a_refusal_leaves_the_connection_good(mail_server: Serve, connect: Connect) -> None:
    """A refused recipient and a refused message are forgotten before the next mail."""
    server = await mail_server(Temper(recipient=["550 5.1.1 unknown"], data=["451 busy"]))
    transport = connect(server.port)
    with pytest.raises(Permanent, match=r"recipient refused: 550 5\.1\.1"):
        await send(transport)
    with pytest.raises(Temporary, match="message refused: 451"):
        await send(transport)
    await send(transport)
    assert (len(server.accepted), server.connections) == (1, 1)
    assert server.envelopes == [("no-reply@example.org", ["alice@example.org"])]


@pytest.mark.parametrize("code", ["530 5.7.0 authentication required", "538 5.7.11 encryption required"])
async def test_a_server_that_wants_a_login_first_is_no_dead_end(
    mail_server: Serve, connect: Connect, code: str
) -> None:
    """Mails wait while a setting is missing, though the answer begins with a 5."""
    server = await mail_server(Temper(recipient=[code]))
    with pytest.raises(Temporary):
        await send(connect(server.port))


async def test_a_connection_that_does_not_answer_is_left(connect: Connect) -> None:
    """A kept connection that swallows the question is given up, and the mail goes over a new one."""
    async with serve_as_of_old(silent_to="RSET") as server:
        await send(connect(server.port, mail_timeout="30s"), 2)
        assert (len(server.accepted), server.connections) == (2, 2)


async def test_a_delivery_that_was_cancelled_leaves_nothing_open(connect: Connect) -> None:
    """Its connection is in the middle of something, so nobody gets it again."""
    async with serve_as_of_old(silent_to="DATA") as server:
        transport = connect(server.port, mail_timeout="30s")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await send(transport)
        server.silent_to = ""
        await send(transport)
        assert (len(server.accepted), server.connections) == (1, 2)


async def test_a_server_without_extensions(connect: Connect) -> None:
    """It knows only HELO: it gets the message in seven bits, and no address that it could not read."""
    async with serve_as_of_old() as server:
        transport = connect(server.port)
        await transport.deliver(greet(note="grüße, 李小龍"))
        (raw,) = server.accepted
        assert raw.isascii()
        with pytest.raises(Permanent, match="international"):
            await transport.deliver(greet(to="jörg@example.org"))
        assert server.verbs[:2] == ["EHLO", "HELO"]


async def test_international_addresses_need_a_server_for_them(mail_server: Serve, connect: Connect) -> None:
    """Without SMTPUTF8 there is no way to write them (RFC 6531): that is final, and others still go out."""
    server = await mail_server(international=False)
    transport = connect(server.port)
    with pytest.raises(Permanent, match="SMTPUTF8"):
        await transport.deliver(greet(to="jörg@example.org"))
    await transport.deliver(greet(to="alice@bücher.example"))
    assert server.envelopes == [("no-reply@example.org", ["alice@xn--bcher-kva.example"])]


async def test_what_we_call_ourselves(mail_server: Serve, connect: Connect) -> None:
    """The sender's domain, or what the setting says; never a name that a resolver makes up."""
    server = await mail_server()
    await send(connect(server.port))
    await send(connect(server.port, smtp_helo_name="mx.example.net"))
    assert server.names == ["example.org", "mx.example.net"]


async def test_opportunistic_takes_what_it_gets(mail_server: Serve, connect: Connect, tls: Tls) -> None:
    """STARTTLS where it is offered, clear text where not."""
    sealed, clear = await mail_server(security="starttls"), await mail_server()
    for server in (sealed, clear):
        await send(connect(server.port, "opportunistic", tls[1]))
    assert (sealed.used_tls, clear.used_tls) == ([True], [False])


@pytest.mark.parametrize("security", ["starttls", "opportunistic", "tls"])
async def test_a_certificate_is_always_checked(mail_server: Serve, connect: Connect, security: str) -> None:
    """An untrusted one stops the mail, and never means clear text instead."""
    server = await mail_server(security="tls" if security == "tls" else "starttls")
    with pytest.raises(Temporary, match="certificate is not trusted: self-signed"):
        await send(connect(server.port, security))
    assert server.accepted == []


async def test_a_certificate_for_another_name_is_refused(
    mail_server: Serve, connect: Connect, tls: Tls
) -> None:
    """It is trusted, but not for the name that the settings give."""
    server = await mail_server(security="starttls")
    with pytest.raises(Temporary, match=r"certificate is not trusted: .*localhost"):
        await send(connect(server.port, "starttls", tls[1], smtp_host="localhost"))
    assert server.accepted == []


async def test_no_password_in_clear_text(mail_server: Serve, connect: Connect, tls: Tls) -> None:
    """A server elsewhere that offers no TLS is not told the password, even where clear text is allowed for mails."""
    server = await mail_server(login=True)
    for security in ("opportunistic", "starttls"):
        with pytest.raises(Temporary, match=r"not sent as clear text|lacks STARTTLS"):
            await send(connect(server.port, security, tls[1], **ELSEWHERE, **CREDENTIALS))
    assert (server.logins, server.accepted) == (0, [])
    await send(connect(server.port, "opportunistic", tls[1], **CREDENTIALS))
    assert server.logins == 1, "nobody listens between here and 127.0.0.1"


async def test_a_missing_auth_is_told(connect: Connect) -> None:
    """A server that takes no logins does not match settings that have one."""
    async with serve_as_of_old() as server:
        with pytest.raises(Temporary, match="lacks AUTH"):
            await send(connect(server.port, **CREDENTIALS))
