"""Breached passwords, in a whole engine: what is refused, what goes out, and what a failing service changes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from ostiary.core.journal.store import journal
from ostiary.kernel.errors import Misuse
from ostiary.protocols.breach_range import fingerprint
from ostiary.storage.statement import Query
from ostiary.testing import Kit, TurnedClock, running
from tests.core.signin.stage import dump
from tests.security.stage import Print, StillClock, ask, drained, network, people
from tests.support.certificates import Authority
from tests.support.outside import Outside, Visit, outside
from tests.support.secrets import nothing_leaks

GOOD = "another harbour seventeen lanterns"
BREACHED = "correct horse battery staple"
EVENTS = Query(
    "test.breach_events",
    sa.select(journal.c.type, journal.c.account_id, journal.c.data).order_by(journal.c.at, journal.c.id),
    lambda *row: row,
    scan=True,
)


@dataclass
class Lists:
    """A range service that knows some passwords, until it breaks."""

    known: set[str] = field(default_factory=lambda: {fingerprint(BREACHED), fingerprint("password")})
    is_broken: bool = False

    async def __call__(self, visit: Visit) -> None:
        """Answer."""
        prefix = visit.line.split()[1].removeprefix("/range/")
        rests = [one[5:] for one in self.known if one.startswith(prefix)]
        body = "".join(f"{rest}:7\r\n" for rest in [*rests, "A" * 35]) + "F" * 35 + ":0"
        await visit.answer(body.encode(), status="503 Busy" if self.is_broken else "200 OK")


@dataclass
class Stand:
    """A production engine that asks a range service over TLS."""

    kit: Kit
    lists: Lists
    server: Outside

    async def events(self) -> list[tuple[object, ...]]:
        """The journal."""
        return await self.kit.engine.core.database.all(EVENTS)


@asynccontextmanager
async def standing(
    database: str, folder: Path, patch: pytest.MonkeyPatch, clock: TurnedClock | None = None
) -> AsyncIterator[Stand]:
    """Run both."""
    authority = Authority(folder)
    patch.setenv("SSL_CERT_FILE", str(authority.path))
    lists = Lists()
    async with (
        outside(lists, tls=authority.server("127.0.0.1")) as server,
        running(
            folder,
            database=database,
            clock=clock,
            breached_passwords="range",
            breach_range_url=f"https://127.0.0.1:{server.port}/range/",
            breach_range_timeout="10s",
            outgoing_allow="127.0.0.1",
            outgoing_ports=str(server.port),
        ) as kit,
    ):
        yield Stand(kit, lists, server)


@pytest.fixture
async def stand(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stand]:
    """On each database; at the end no secret stands in database, log or mails."""
    async with standing(database_url, tmp_path, monkeypatch) as made:
        with nothing_leaks(made.kit):
            yield made


async def register(stand: Stand, password: str, email: str = "anna@example.com") -> Print:
    """Register and take the print."""
    return await ask(stand.kit, "/auth/register", {"email": email, "password": password})


def codes(answer: Print) -> list[str]:
    """The violations."""
    return [entry["code"] for entry in answer.body["violations"]]


async def test_a_breached_password_is_refused_with_everything_else(stand: Stand) -> None:
    """Alone, or together with all other violations and a bad address; 20 bits went out, and nothing was changed."""
    before = await dump(stand.kit, without=("throttle", "journal"))
    alone = await register(stand, BREACHED)
    assert (alone.status, alone.body["code"], codes(alone)) == (
        422,
        "password_breached",
        ["password_breached"],
    )
    assert alone.hashes == 0
    several = await register(stand, "password")
    assert codes(several) == ["password_too_short", "password_common", "password_breached"]
    assert several.body["code"] == "password_too_short"
    both = await register(stand, BREACHED, "no address")
    assert both.body["code"] == "invalid_request"
    assert codes(both) == ["password_breached"]
    assert {"errors", "violations"} <= both.body.keys()
    assert await dump(stand.kit, without=("throttle", "journal")) == before
    assert await stand.events() == []
    assert [visit.line for visit in stand.server.visits] == [
        f"GET /range/{fingerprint(password)[:5]} HTTP/1.1" for password in (BREACHED, "password")
    ]


async def test_other_passwords_pass(stand: Stand) -> None:
    """An account is made with a password that nobody lists."""
    assert (await register(stand, GOOD)).status == 202
    token, _ = await stand.kit.verification("anna@example.com")
    verified = await stand.kit.browser().post("/auth/email/verify", json={"token": token})
    assert verified.status_code == 200
    await stand.kit.sign_in("anna@example.com", GOOD)
    assert len(stand.server.visits) == 1, "what was answered just now is not asked again for the sign-in"


async def test_a_failing_service_refuses_nobody_and_is_journalled(stand: Stand) -> None:
    """Fail open: 202 and one event, which stands there once, names nobody and repeats nothing of the password."""
    stand.lists.is_broken = True
    assert (await register(stand, BREACHED)).status == 202
    short = await register(stand, "sh0rt", "bert@example.com")
    assert codes(short) == ["password_too_short"]
    failures = [row for row in await stand.events() if row[0] == "breach_check_failed"]
    assert failures == [("breach_check_failed", None, '{"source":"range","why":"status_503"}')] * 2
    stand.lists.is_broken = False
    assert (await register(stand, BREACHED, "carl@example.com")).status == 422


async def test_a_refused_password_gives_its_place_back(stand: Stand) -> None:
    """Ten refused ones use up neither the address's three registrations nor the network's."""
    for number in range(10):
        assert (await register(stand, BREACHED if number % 2 else "password")).status == 422
    answers = [await register(stand, GOOD) for _ in range(4)]
    assert [answer.status for answer in answers] == [202, 202, 202, 429]


async def test_an_absurd_password_is_not_looked_up(stand: Stand) -> None:
    """L28: too long is refused before anything goes out."""
    assert codes(await register(stand, "x" * 2000)) == ["password_too_long"]
    assert stand.server.connections == 0


@pytest.mark.parametrize("is_broken", [False, True], ids=["answers", "fails"])
@pytest.mark.parametrize("is_breached", [False, True], ids=["unlisted", "breached"])
async def test_registering_tells_nothing_about_addresses(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_broken: bool, is_breached: bool
) -> None:
    """L16: equal answers, statements, hashes and calls for every kind of address, whatever the service says."""
    async with standing(database_url, tmp_path, monkeypatch, StillClock()) as stand:
        everybody = await people(stand.kit)
        stand.lists.is_broken = is_broken
        prints: dict[str, Print] = {}
        calls: dict[str, int] = {}
        for number, (kind, (address, _)) in enumerate(everybody.items()):
            password = f"{GOOD} {number}"
            if is_breached:
                stand.lists.known.add(fingerprint(password))
            before = len(stand.server.visits)
            body = {"email": address, "password": password, "name": "Somebody"}
            prints[kind] = await ask(stand.kit, "/auth/register", body, ip=network(number))
            calls[kind] = len(stand.server.visits) - before
        assert set(calls.values()) == {1}
        expected = prints["unknown"]
        for kind, seen in prints.items():
            assert seen == expected, f"{kind} can be told from unknown"
        assert expected.status == (422 if is_breached and not is_broken else 202)
        await drained(stand.kit)


async def test_the_form_says_it(stand: Stand) -> None:
    """The page tells beforehand, and then what is wrong."""
    browser = stand.kit.browser()
    assert "known from a data breach" in (await browser.get("/signup")).text


async def test_as_installed_nothing_leaves_the_machine(tmp_path: Path) -> None:
    """Without the setting no name is resolved and nobody is asked; the page does not promise the check."""

    async def never(name: str) -> tuple[()]:
        raise AssertionError(f"resolved {name}")

    async with running(tmp_path) as kit:
        kit.engine.core.outgoing._resolve = never
        answer = await ask(kit, "/auth/register", {"email": "anna@example.com", "password": BREACHED})
        assert answer.status == 202
        assert "data breach" not in (await kit.browser().get("/signup")).text


async def test_a_corpus_of_ones_own(database_url: str, tmp_path: Path) -> None:
    """`file`: the same refusals, and nothing goes out; a missing or unsorted file stops the start."""
    path = tmp_path / "corpus"
    listed = sorted(fingerprint(one) for one in (BREACHED, "password", "1234567890"))
    given = {"breached_passwords": "file", "breach_corpus_file": str(path)}
    for content, why in ((None, "cannot read"), (listed[::-1], "not sorted"), (["rubbish"], "no corpus")):
        if content is not None:
            path.write_text("".join(f"{one}:1\n" for one in content))
        with pytest.raises(Misuse, match=why):
            async with running(tmp_path, database=database_url, **given):  # type: ignore[arg-type]
                raise AssertionError("started")
    path.write_text("".join(f"{one}:1\n" for one in listed))
    async with running(tmp_path, database=database_url, **given) as kit:  # type: ignore[arg-type]
        body = {"email": "anna@example.com", "password": BREACHED}
        refused = await ask(kit, "/auth/register", body)
        assert codes(refused) == ["password_breached"]
        assert (await ask(kit, "/auth/register", body | {"password": GOOD})).status == 202
        path.unlink()
        assert (await ask(kit, "/auth/register", body)).status == 202
        [failure] = [
            row for row in await kit.engine.core.database.all(EVENTS) if row[0] == "breach_check_failed"
        ]
        assert failure[2] == '{"source":"file","why":"unreadable"}'
