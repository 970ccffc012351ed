"""Mails reach a real server once it takes them, and what it refuses for good ends as a dead letter; nothing is lost."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from ostiary.core.mail.compose import Composer
from ostiary.core.mail.post import Post, mail_deliverer
from ostiary.core.mail.settings import MailSettings
from ostiary.core.mail.smtp import SmtpTransport
from ostiary.core.outbox.outbox import Permanent, Temporary
from ostiary.core.outbox.worker import Worker
from ostiary.kernel.errors import Misuse
from ostiary.kernel.settings import Settings
from ostiary.kernel.world import World
from tests.core.mail.conftest import Serve
from tests.core.mail.servers import PASSWORD, USER, Temper, serve_rudely
from tests.core.mail.test_compose import GREETING, greet
from tests.core.outbox.places import Place, dead, far, running, until, until_async
from tests.support.ports import free_port

Tls = tuple[ssl.SSLContext, ssl.SSLContext]


def mail_settings(port: int, security: str = "none", **more: object) -> MailSettings:
    """Return settings for a server on this machine."""
    given = {
        "mail_from": "no-reply@example.org", "smtp_host": "127.0.0.1", "smtp_port": port,
        "smtp_security": security, "mail_timeout": "3s", **more,
    }  # fmt: skip
    return Settings([MailSettings], given).of(MailSettings)


class Desk:
    """A deployment that mails through one server."""

    def __init__(self, place: Place, settings: MailSettings, tls: ssl.SSLContext | None = None) -> None:
        """Wire it as the engine does."""
        self.place = place
        self.composer = Composer(place.world, settings, {"tests": [GREETING]})
        self.post = Post(place.outbox, self.composer)
        self.transport = SmtpTransport(settings, place.world, tls)
        self.deliver = mail_deliverer(self.composer, self.transport)

    def worker(self) -> Worker:
        """Return a worker of this deployment."""
        return self.place.worker(self.deliver)

    async def send(self, to: str = "alice@example.org", *, live: bool = True) -> str:
        """Send the tests' mail."""
        async with self.place.change() as change:
            context = {"name": "Alice", "link": "https://id.example.org/go", "note": "grüße"}
            return await self.post.send(change, "greeting", to, context, live=live)

    async def tried(self, attempts: int) -> None:
        """Wait until the one row failed so often."""

        async def is_tried() -> bool:
            rows = await self.place.rows()
            return [(row.attempts, row.lease_until) for row in rows] == [(attempts, None)]

        await until_async(is_tried)


MakeDesk = Callable[..., Desk]


@pytest.fixture
async def desk(place: Place) -> AsyncIterator[MakeDesk]:
    """Makes deployments that mail, and closes their connections at the end."""
    made: list[Desk] = []

    def make(settings: MailSettings, tls: ssl.SSLContext | None = None, place: Place = place) -> Desk:
        made.append(Desk(place, settings, tls))
        return made[-1]

    yield make
    for one in made:
        await one.transport.close()


@pytest.mark.parametrize(
    ("security", "login"), [("none", False), ("none", True), ("starttls", True), ("tls", False)]
)
async def test_a_mail_arrives(
    place: Place, desk: MakeDesk, mail_server: Serve, tls: Tls, security: str, login: bool
) -> None:
    """In clear text on this machine, with STARTTLS, with TLS from the first byte; with and without a login."""
    server = await mail_server(security=security, login=login)
    credentials = {"smtp_user": USER, "smtp_password": PASSWORD} if login else {}
    made = desk(mail_settings(server.port, security, **credentials), tls[1])
    async with running(made.worker()):
        put = await made.send()
        await place.empty()
    (mail,) = server.accepted
    assert mail["Message-ID"] == f"<{put}@example.org>"
    assert server.envelopes == [("no-reply@example.org", ["alice@example.org"])]
    body = mail.get_body(("plain",))
    assert body is not None
    assert "grüße" in body.get_content()
    assert server.used_tls == [security != "none"]
    assert server.used_login == [login]


async def test_a_decoy_never_reaches_a_server(place: Place, desk: MakeDesk, mail_server: Serve) -> None:
    """Its row has the size of a real mail's, and vanishes.  # L16"""
    server = await mail_server()
    made = desk(mail_settings(server.port))
    await made.send()
    await made.send("", live=False)
    real, decoy = await place.rows()
    assert len(real.sealed) == len(decoy.sealed)
    async with running(made.worker()):
        await place.empty()
    assert server.tries == 1


async def test_an_international_recipient_arrives(place: Place, desk: MakeDesk, mail_server: Serve) -> None:
    """With a server that takes SMTPUTF8 (RFC 6531)."""
    server = await mail_server()
    made = desk(mail_settings(server.port))
    async with running(made.worker()):
        await made.send("jörg@münchen.example")
        await place.empty()
    assert server.envelopes == [("no-reply@example.org", ["jörg@xn--mnchen-3ya.example"])]


async def test_a_grey_list_only_delays(place: Place, desk: MakeDesk, mail_server: Serve) -> None:
    """4xx to the recipient, then to the message, then accepted: once, with the Message-ID of the first try."""
    server = await mail_server(
        Temper(recipient=["450 4.2.0 come again alice@example.org"], data=["451 busy"])
    )
    made = desk(mail_settings(server.port))
    put = await made.send()
    async with running(made.worker()):
        await made.tried(1)
        assert (await place.rows())[0].last_error == "recipient refused: 450 4.2.0"
        place.clock.turn(far())
        await made.tried(2)
        assert (await place.rows())[0].last_error == "message refused: 451"
        place.clock.turn(far())
        await place.empty()
    assert [mail["Message-ID"] for mail in server.accepted] == [f"<{put}@example.org>"]
    told = await place.journal()
    assert [entry.type for entry in told] == ["mail_delayed", "mail_delayed"]
    assert not [entry for entry in told if "alice" in entry.data]


@pytest.mark.parametrize(
    ("temper", "reason"),
    [
        (Temper(recipient=["550 5.1.1 <alice@example.org> unknown"]), "recipient refused: 550 5.1.1"),
        (Temper(data=["554 alice@example.org is spam"]), "message refused: 554"),
    ],
)
async def test_a_final_refusal_is_a_dead_letter(
    place: Place, desk: MakeDesk, mail_server: Serve, temper: Temper, reason: str
) -> None:
    """5xx to the recipient or to the message: one try, and a reason without what the server said."""
    server = await mail_server(Temper(list(temper.recipient), list(temper.data)))
    made = desk(mail_settings(server.port))
    put = await made.send()
    async with running(made.worker()):
        await until_async(lambda: dead(place.database))
    (letter,) = await dead(place.database)
    assert (letter.id, letter.attempts, letter.last_error) == (put, 1, reason)
    assert server.tries == 1
    (entry,) = await place.journal()
    assert entry.type == "mail_dead"
    assert reason in entry.data
    assert "alice" not in entry.data


async def test_a_hopeless_address_is_a_dead_letter(place: Place, desk: MakeDesk, mail_server: Serve) -> None:
    """No server is asked about an address that could be two."""
    server = await mail_server()
    made = desk(mail_settings(server.port))
    await made.send("alice@example.org\r\nRCPT TO:<eve@evil.test>")
    async with running(made.worker()):
        await until_async(lambda: dead(place.database))
    assert server.tries == 0


@pytest.mark.parametrize("where", ["stall", "greet", "mid-data"])
async def test_a_rude_server_loses_nothing(
    place: Place, desk: MakeDesk, mail_server: Serve, where: str
) -> None:
    """A server that stalls or hangs up in the middle of the message delays the mail; the next one gets it."""
    async with serve_rudely(where) as rude:
        made = desk(mail_settings(rude.port))
        put = await made.send()
        async with running(made.worker()):
            await made.tried(1)
        assert rude.visits == 1
    (row,) = await place.rows()
    assert row.last_error.startswith("connection failed: SMTP")
    server = await mail_server()
    place.clock.turn(far())
    async with running(desk(mail_settings(server.port)).worker()):
        await place.empty()
    assert [mail["Message-ID"] for mail in server.accepted] == [f"<{put}@example.org>"]


async def test_a_server_that_took_the_mail_has_it(place: Place, desk: MakeDesk) -> None:
    """Hanging up after "250 taken" is no failure: the mail is not sent twice."""
    async with serve_rudely("after-data") as rude:
        made = desk(mail_settings(rude.port))
        async with running(made.worker()):
            await made.send()
            await place.empty()
            await asyncio.sleep(0.05)
        assert rude.visits == 1


async def test_the_operators_mistakes_lose_nothing(place: Place, mail_server: Serve, tls: Tls) -> None:
    """A wrong password, an untrusted certificate, a refused sender, no STARTTLS, nobody there: all only delay."""
    wrong = {"smtp_user": USER, "smtp_password": "wrong horse"}
    strict = await mail_server(security="starttls", login=True)
    plain = await mail_server(Temper(sender=["550 5.7.1 not you"]))
    tries = [
        (
            SmtpTransport(mail_settings(strict.port, "starttls", **wrong), place.world, tls[1]),
            "smtp_password refused: 535",
        ),
        (SmtpTransport(mail_settings(strict.port, "starttls"), place.world), "certificate is not trusted"),
        (SmtpTransport(mail_settings(plain.port), place.world), "server refused: 550 5.7.1"),
        (SmtpTransport(mail_settings(plain.port, "starttls"), place.world, tls[1]), "lacks STARTTLS"),
        (SmtpTransport(mail_settings(free_port()), place.world), "connection failed"),
    ]
    for transport, reason in tries:
        with pytest.raises(Temporary) as failed:
            await transport.deliver(greet())
        assert reason in str(failed.value)
        assert "horse" not in str(failed.value)
        assert failed.value.__cause__ is None
    assert strict.accepted == plain.accepted == []


async def test_a_mail_is_not_sent_inside_a_transaction(place: Place, mail_server: Serve) -> None:
    """Calling out with a transaction open is a mistake of ours, not a slow database."""
    server = await mail_server()
    transport = SmtpTransport(mail_settings(server.port), place.world)

    async def nest() -> None:
        async with place.change():
            await transport.deliver(greet())

    with pytest.raises(Misuse, match="transaction is open"):
        await nest()
    assert server.tries == 0


async def test_no_server_no_transport() -> None:
    """SMTP without a host is told at start."""
    with pytest.raises(Misuse, match="smtp_host"):
        SmtpTransport(MailSettings(), World())


async def test_two_workers_mail_once_each(place: Place, desk: MakeDesk, mail_server: Serve) -> None:
    """Two processes and one server: every mail once."""
    server = await mail_server()
    other = await place.another_process()
    here = desk(mail_settings(server.port))
    there = desk(mail_settings(server.port), place=other)
    put = [await here.send() for _ in range(20)]
    async with running(here.worker(), there.worker()):
        await place.empty()
    assert sorted(mail["Message-ID"] for mail in server.accepted) == sorted(f"<{i}@example.org>" for i in put)
    await other.database.close()


async def test_a_killed_worker_repeats_the_message_id(
    place: Place, desk: MakeDesk, mail_server: Serve
) -> None:
    """Killed between the server's "accepted" and our delete: sent again, and recognisable as the same mail."""
    server = await mail_server()
    made = desk(mail_settings(server.port))
    put = await made.send()
    accepted = asyncio.Event()

    async def deliver_and_hang(letter: object) -> None:
        await made.deliver(letter)  # type: ignore[arg-type]
        accepted.set()
        await asyncio.Event().wait()

    dying = asyncio.create_task(place.worker(deliver_and_hang).run())
    await asyncio.wait_for(accepted.wait(), 10)
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    place.clock.turn(place.outbox.settings.outbox_lease + timedelta(seconds=1))
    async with running(made.worker()):
        await place.empty()
    assert [mail["Message-ID"] for mail in server.accepted] == [f"<{put}@example.org>"] * 2
    await until(lambda: server.tries == 2)


def test_failures_are_two_families() -> None:
    """Nobody catches one by the other's name."""
    assert not issubclass(Temporary, Permanent)
    assert not issubclass(Permanent, Temporary)
