"""`ostiary mail`: what waits and what is dead is listed without its words, sent again, and tried out."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from ostiary.core.mail.mailbox import Mailbox
from ostiary.core.outbox.worker import BACK_OFF
from ostiary.engine.engine import Engine
from ostiary.engine.features import RIBS
from ostiary.engine.settings import load
from ostiary.kernel.world import World
from ostiary.testing import Kit, TurnedClock
from ostiary.testing.kit import CHEAP, PASSWORD
from tests.cli.test_command_line import Terminal, terminal
from tests.core.mail.servers import MailServer
from tests.core.outbox.places import until
from tests.support.ports import free_port
from tests.support.server import production

__all__ = ["terminal"]  # a fixture
ANNA, BERT = "anna@example.com", "bert@example.com"
DAY = timedelta(days=1)


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    """A real mail server in a thread of its own, so that commands can run an event loop here."""
    made = MailServer()
    controller = Controller(made, hostname="127.0.0.1", port=free_port())
    controller.start()
    made.port = controller.port
    yield made
    controller.stop()


class Site:
    """An installation: its settings, and a process of it now and then."""

    def __init__(self, url: str, server: MailServer) -> None:
        self.settings: dict[str, Any] = {**production(server.port), "database": url}
        self._server = server

    async def _serve(self, addresses: tuple[str, ...], asked: int, ago: timedelta, ahead: timedelta) -> None:
        clock = TurnedClock()
        clock.turn(-ago)
        world = World(clock)
        given = {**self.settings, "auto_migrate": True, "outbox_poll": timedelta(milliseconds=50)}
        engine = Engine(load(RIBS, world, given), RIBS, world, scheme=CHEAP)
        async with Kit(engine, clock, Mailbox(), self.settings["base_url"]) as kit:
            for address in addresses:
                answer = await kit.browser().post(
                    "/auth/register", json={"email": address, "password": PASSWORD}
                )
                answer.raise_for_status()
            clock.turn(ahead)
            await until(lambda: self._server.tries >= asked)  # the stop waits for what is under way

    def serve(
        self,
        *addresses: str,
        asked: int,
        ago: timedelta = timedelta(),
        ahead: timedelta = timedelta(),
    ) -> None:
        """Run a process that registers addresses and mails, until the server was asked so often."""
        asyncio.run(self._serve(addresses, asked, ago, ahead))


@pytest.fixture
def site(database_url: str, mail_server: MailServer) -> Site:
    """An installation on each database."""
    return Site(database_url, mail_server)


def ran(terminal: Terminal, site: Site, *arguments: str) -> Any:
    """Return the document that a command prints."""
    done = terminal.run("mail", *arguments, "--json", **site.settings)
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out)


def test_a_dead_mail_is_listed_and_sent_again(
    terminal: Terminal, site: Site, mail_server: MailServer
) -> None:
    """To whom, which, how often, why, when, and never its link or code; sent again it arrives, as the same mail."""
    mail_server.temper.recipient = ["550 5.1.1 <anna@example.com> unknown here"]
    site.serve(ANNA, asked=1)
    (mail,) = ran(terminal, site, "list", "--dead")["mails"]
    assert (mail["state"], mail["to"], mail["template"]) == ("dead", ANNA, "verify_email")
    assert (mail["tries"], mail["last_error"]) == (1, "recipient refused: 550 5.1.1")
    assert mail["died_at"] > mail["created_at"]
    assert mail["expires_at"] > mail["died_at"]
    assert mail["next_try_at"] is None
    shown = terminal.run("mail", "list", **site.settings)
    assert shown.code == 0
    for word in (mail["id"], "dead", ANNA, "verify_email", "recipient refused: 550 5.1.1", "UTC"):
        assert word in shown.out
    assert ran(terminal, site, "resend", mail["id"]) == {"resent": [mail["id"]], "expired": []}
    assert [one["state"] for one in ran(terminal, site, "list")["mails"]] == ["waiting"]
    assert ran(terminal, site, "list", "--dead") == {"mails": []}
    site.serve(asked=2)
    (arrived,) = mail_server.accepted
    assert arrived["Message-ID"] == f"<{mail['id']}@auth.example.test>"
    body = arrived.get_body(("plain",))
    assert body is not None
    link = next(line for line in body.get_content().splitlines() if "token=" in line)
    code = next(line.strip() for line in body.get_content().splitlines() if line.strip().isdigit())
    assert link.partition("token=")[2] not in shown.out + json.dumps(mail)
    assert code not in shown.out + json.dumps({**mail, "id": ""})
    assert terminal.run("mail", "list", **site.settings).out == "no mail waits and none is dead\n"


def test_a_waiting_mail_says_when_it_is_tried(
    terminal: Terminal, site: Site, mail_server: MailServer
) -> None:
    """A grey-listed mail waits, with the reason; it is not dead and cannot be sent again by hand."""
    mail_server.temper.recipient = ["450 4.2.0 later"]
    site.serve(ANNA, asked=1)
    (mail,) = ran(terminal, site, "list")["mails"]
    assert (mail["state"], mail["last_error"]) == ("waiting", "recipient refused: 450 4.2.0")
    assert mail["next_try_at"] > mail["created_at"]
    assert mail["died_at"] is None
    done = terminal.run("mail", "resend", mail["id"], **site.settings)
    assert (done.code, done.out) == (2, "")
    assert "`ostiary mail list --dead`" in done.err


def test_decoys_are_not_listed(terminal: Terminal, site: Site, mail_server: MailServer) -> None:
    """A registration writes two rows, of which one is a decoy: only the real mail is a mail."""
    mail_server.temper.recipient = ["450 4.2.0 later"] * 2
    site.serve(ANNA, asked=1)
    assert len(ran(terminal, site, "list")["mails"]) == 1


def test_all_dead_mails_but_the_expired(terminal: Terminal, site: Site, mail_server: MailServer) -> None:
    """`--all` leaves out mails whose link does not work any more; by id they are sent, with a warning."""
    mail_server.temper.recipient = ["550 5.1.1 unknown"] * 3
    site.serve(ANNA, asked=1, ago=3 * DAY)
    site.serve(BERT, asked=2)
    site.serve("carl@example.com", asked=3)
    old = next(one for one in ran(terminal, site, "list", "--dead")["mails"] if one["to"] == ANNA)
    words = terminal.run("mail", "resend", "--all", **site.settings)
    assert words.code == 0
    assert words.out.count("sent again: ") == 3, "two of them, and one that is not"
    assert f"not sent again: {old['id']} verify_email to {ANNA} expired on " in words.out
    assert ran(terminal, site, "resend", "--all") == {"resent": [], "expired": [old["id"]]}
    site.serve(asked=5)
    assert {one[1][0] for one in mail_server.envelopes} == {BERT, "carl@example.com"}
    named = terminal.run("mail", "resend", old["id"], **site.settings)
    assert named.code == 0
    assert f"its link does not work any more: {old['id']} verify_email to {ANNA} expired on " in named.out
    site.serve(asked=6)
    assert len(mail_server.envelopes) == 3


def test_a_mail_that_was_given_up_starts_over(
    terminal: Terminal, site: Site, mail_server: MailServer
) -> None:
    """After the last of the tries it is dead; sent again it has all of them."""
    mail_server.temper.recipient = ["450 4.2.0 later"] * 50
    site.serve(ANNA, asked=1)
    for number in range(2, len(BACK_OFF) + 2):
        site.serve(asked=number, ahead=16 * number * timedelta(hours=1))
    (mail,) = ran(terminal, site, "list", "--dead")["mails"]
    assert mail["tries"] == len(BACK_OFF) + 1
    ran(terminal, site, "resend", mail["id"])
    (again,) = ran(terminal, site, "list")["mails"]
    assert (again["state"], again["tries"]) == ("waiting", 0)


@pytest.mark.parametrize("arguments", [(), ("nothing",), ("some", "--all")])
def test_a_mail_is_named_or_all_are(terminal: Terminal, site: Site, arguments: tuple[str, ...]) -> None:
    """Neither, both, or an id that nobody has: misuse that says what to do, and nothing is changed."""
    terminal.run("migrate", **site.settings)
    done = terminal.run("mail", "resend", *arguments, **site.settings)
    assert (done.code, done.out) == (2, "")
    assert "--all" in done.err or "no dead mail 'nothing'" in done.err


# ── a test ──


def test_a_test_says_what_the_server_answered(
    terminal: Terminal, mail_server: MailServer, tmp_path: Path
) -> None:
    """It goes out at once, in the language that was asked for, and needs no database."""
    given = {**production(mail_server.port), "database": f"sqlite:///{tmp_path / 'none.db'}"}
    done = terminal.run("mail", "test", ANNA, "--language", "de", **given)
    assert (done.code, done.out) == (0, f"{ANNA}: accepted\n  250 OK\n")
    (arrived,) = mail_server.accepted
    assert arrived["Subject"] == "ostiary kann E-Mails verschicken"
    assert arrived["To"] == ANNA
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    ("temper", "status", "reason"),
    [
        ("550 5.1.1 <anna@example.com> unknown here", 1, "recipient refused: 550 5.1.1"),
        ("450 4.2.0 come again in five minutes", 3, "recipient refused: 450 4.2.0"),
    ],
)
def test_a_test_that_fails_says_why(
    terminal: Terminal, mail_server: MailServer, temper: str, status: int, reason: str
) -> None:
    """In our words and in the server's; 1 for never, 3 for not now; nothing is tried again."""
    mail_server.temper.recipient = [temper]
    done = terminal.run("mail", "test", ANNA, "--json", **production(mail_server.port))
    assert done.code == status
    assert json.loads(done.out) == {"accepted": False, "to": ANNA, "reason": reason, "answer": temper}
    assert mail_server.tries == 1


def test_a_test_without_a_server_or_an_address(terminal: Terminal) -> None:
    """Nobody there is 3, no address is 1, and neither shows a secret."""
    gone = terminal.run("mail", "test", ANNA, **production(free_port()))
    assert (gone.code, gone.err) == (3, "")
    assert f"{ANNA}: connection failed" in gone.out
    nobody = terminal.run("mail", "test", "anna", **production(free_port()))
    assert (nobody.code, nobody.out) == (1, "anna: the recipient is no plain mail address\n")


def test_a_test_in_development_goes_to_the_mailbox(terminal: Terminal, tmp_path: Path) -> None:
    """Where every mail goes there."""
    done = terminal.run("mail", "test", ANNA, "--dev", "--data", str(tmp_path))
    assert (done.code, done.out) == (0, f"{ANNA}: accepted\n  kept in the development mailbox\n")
    assert "ostiary can send mail" in (tmp_path / "mailbox.jsonl").read_text()
