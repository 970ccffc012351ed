"""The revocation feed: what is written when, who is told of it, and what waiting costs."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from ostiary.core.access import access
from ostiary.core.accounts.accounts import Status
from ostiary.core.revocations import store
from ostiary.features.keys import flow as keys
from ostiary.protocols import revocations
from ostiary.protocols.jose import jwk
from ostiary.protocols.revocations import Entry, Page, session_mark, subject_mark
from ostiary.storage.statement import Query
from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import account_id, changed, dump, set_status
from tests.features.tokens.stage import ANNA, claims_of, code_of, pair_of, part, refresh
from tests.support.server import ROOT_SECRET

ISSUER = "https://auth.example.test"
ROOT = ROOT_SECRET
EVERYTHING = timedelta(0)
BACKENDS = Query(
    "test.feed.backends",
    sa.text(
        "SELECT pid FROM pg_stat_activity "
        "WHERE application_name = 'ostiary' AND datname = current_database() ORDER BY pid"
    ).columns(sa.column("pid", sa.Integer)),
    int,
)


async def ask(kit: Kit, after: str | None = None, wait: int = 0, ip: str = "192.0.2.10") -> httpx2.Response:
    """One poll, as a verifier makes it: without any credential."""
    given: dict[str, Any] = {} if after is None else {"after": after}
    return await kit.browser(ip).get("/auth/revocations", params=given | ({"wait": wait} if wait else {}))


async def read(kit: Kit, answer: httpx2.Response) -> Page:
    """The page in an answer, judged as a verifier does."""
    assert answer.status_code == 200, answer.text
    published = jwk.read_set((await kit.browser().get("/oauth2/jwks")).content)
    return revocations.read_page(answer.text, published, ISSUER, kit.clock.now(), EVERYTHING)


async def everything(kit: Kit) -> list[Entry]:
    """All that is revoked."""
    page = await read(kit, await ask(kit))
    found = [*page.entries]
    while page.more:
        page = await read(kit, await ask(kit, page.next))
        found += page.entries
    return found


async def written(kit: Kit, count: int, *, session: str = "s") -> None:
    """So many ended sessions, written at once."""
    core = kit.engine.core
    until = core.world.micros() + 3_600_000_000
    async with core.database.transaction() as tx:
        for number in range(count):
            mark = session_mark(f"{session}{number}")
            await tx.run(store.ADD, id=core.world.id(), kind="session", mark=mark, version=None, until=until)


async def waiting(kit: Kit, count: int) -> None:
    """Return once so many followers wait."""
    async with asyncio.timeout(10):
        while kit.engine.core.feed.waiting.taken != count:  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0.01)


async def test_a_page(kit: Kit) -> None:
    """A signed token of its own type that holds for a minute, names the issuer, and is for everybody."""
    await kit.signed_up(ANNA)
    pair = await pair_of(kit)
    assert await everything(kit) == []
    await (await kit.sign_in(ANNA)).post("/auth/sessions/revoke-others")
    answer = await ask(kit)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/jwt")
    assert "no-store" in answer.headers["cache-control"]
    assert "set-cookie" not in answer.headers
    assert part(answer.text, 0)["typ"] == "revocations+jwt"
    claims = claims_of(answer.text)
    assert claims.keys() == {"iss", "iat", "exp", "next", "more", "entries"}
    assert (claims["iss"], claims["exp"] - claims["iat"], claims["more"]) == (ISSUER, 60, False)
    (entry,) = claims["entries"]
    assert entry.keys() == {"kind", "id", "until"}
    assert (entry["kind"], entry["id"]) == ("session", session_mark(pair["session"]["id"]))
    assert entry["until"] > claims_of(pair["access_token"])["exp"] + 60
    assert pair["session"]["id"] not in answer.text
    taken_for_access = await kit.browser().get(
        "/auth/session", headers={"authorization": f"Bearer {answer.text}"}
    )
    assert code_of(taken_for_access) == "token_invalid"


@pytest.mark.parametrize(
    "how", ["signed out", "everywhere", "disabled", "reset", "changed", "reused", "limit", "nothing"]
)
async def test_whatever_ends_a_session_tells_so(kit: Kit, how: str) -> None:
    """In the same transaction: the feed has the session as soon as it is over, and no other one."""
    await kit.signed_up(ANNA)
    await kit.signed_up("bert@example.com")
    other, pair = await pair_of(kit, "bert@example.com"), await pair_of(kit)
    match how:
        case "signed out":
            await kit.browser().post("/auth/logout", json={"refresh_token": pair["refresh_token"]})
        case "everywhere":
            body = {"refresh_token": pair["refresh_token"], "everywhere": True}
            await kit.browser().post("/auth/logout", json=body)
        case "disabled":
            await set_status(kit, await account_id(kit, ANNA), Status.DISABLED)
        case "reset":
            await kit.browser().post("/auth/password/forgot", json={"email": ANNA})
            mail = await kit.mail_to(ANNA, count=2)
            token = mail["text"].partition("token=")[2].split()[0]
            body = {"token": token, "new_password": "a harbour that is another one"}
            assert (await kit.browser().post("/auth/password/reset", json=body)).status_code == 200
        case "changed":
            browser = await kit.sign_in(ANNA)
            body = {"current_password": PASSWORD, "new_password": "a harbour that is another one"}
            assert (await browser.post("/auth/password/change", json=body)).status_code == 200
        case "reused":
            await refresh(kit, pair["refresh_token"])
            kit.clock.turn(timedelta(seconds=15))
            assert code_of(await refresh(kit, pair["refresh_token"])) == "refresh_token_reused"
        case "limit":
            for _ in range(5):
                await pair_of(kit)
        case _:
            await refresh(kit, pair["refresh_token"])
    marks = {entry.id for entry in await everything(kit) if entry.kind == "session"}
    assert (session_mark(pair["session"]["id"]) in marks) == (how != "nothing")
    assert session_mark(other["session"]["id"]) not in marks


async def test_another_role_makes_tokens_stale(kit: Kit) -> None:
    """The entry names the version below which tokens are stale; the next token has that version."""
    await kit.signed_up(ANNA)
    pair = await pair_of(kit)
    who = pair["user"]["id"]
    for role, version in (("cook", 1), ("baker", 2)):
        await changed(kit, partial(access.grant, account_id=who, role=role, by="test"))
        entry = (await everything(kit))[-1]
        assert (entry.kind, entry.id, entry.version) == ("subject", subject_mark(who), version)
        pair |= (await refresh(kit, pair["refresh_token"])).json()
        assert claims_of(pair["access_token"])["ver"] == version


async def test_a_retired_key_is_named(kit: Kit) -> None:
    """Its kid stands in the feed, in a page that the next key signs; a key of the ring is nobody's business."""
    kid = kit.engine.core.signing.current.kid
    await keys.retire(kit.engine.core, kid)
    assert [(entry.kind, entry.id) for entry in await everything(kit)] == [("key", kid)]
    await kit.engine.core.signing.refresh(kit.engine.core.database)  # as every process does within a second
    assert part((await ask(kit)).text, 0)["kid"] != kid


async def test_what_is_rolled_back_is_not_told(kit: Kit) -> None:
    """A change that fails after it ended a session leaves no entry, and wakes nobody."""
    browser = await kit.signed_in(ANNA)
    session = (await browser.get("/auth/session")).json()["session"]["id"]
    core, who = kit.engine.core, await account_id(kit, ANNA)
    before, wakes = (await dump(kit))["revocation"], core.feed.waiting.wakes

    async def work(change: Any) -> None:
        assert await core.sessions.end(change, who, session, "test")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await changed(kit, work)
    assert (await dump(kit))["revocation"] == before == []
    assert core.feed.waiting.wakes == wakes


async def test_a_long_feed_comes_in_pages(kit: Kit) -> None:
    """Each entry once in a reading; the last half minute again in the next one, and later no more."""
    await written(kit, 2300)
    first = await read(kit, await ask(kit))
    second = await read(kit, await ask(kit, first.next))
    third = await read(kit, await ask(kit, second.next))
    assert [len(page.entries) for page in (first, second, third)] == [1000, 1000, 300]
    assert [page.more for page in (first, second, third)] == [True, True, False]
    assert len({entry.id for page in (first, second, third) for entry in page.entries}) == 2300
    again = await read(kit, await ask(kit, third.next))
    assert len(again.entries) == 1000
    kit.clock.turn(timedelta(seconds=31))
    quiet = await read(kit, await ask(kit, third.next))
    assert len(quiet.entries) == 1000, "what was young when it was told is told again once"
    rest = await read(kit, await ask(kit, (await read(kit, await ask(kit, quiet.next))).next))
    last = await read(kit, await ask(kit, rest.next))
    assert (last.entries, last.more) == ((), False)


async def test_a_late_commit_is_told(kit: Kit) -> None:
    """An entry that was written before the last poll and is durable after it is news to a follower who waits."""
    core = kit.engine.core
    early = core.world.id()
    await written(kit, 3)
    page = await read(kit, await ask(kit))
    until = core.world.micros() + 3_600_000_000
    poll = asyncio.create_task(ask(kit, page.next, wait=25))
    await waiting(kit, 1)
    async with core.database.transaction() as tx:
        await tx.run(store.ADD, id=early, kind="session", mark="late", version=None, until=until)
    async with asyncio.timeout(10):
        told = await read(kit, await poll)
    assert "late" in {entry.id for entry in told.entries}


async def test_a_commit_of_this_process_wakes_at_once(kit: Kit) -> None:
    """Who waits is answered when the session ends, though nobody has looked into the database."""
    await kit.signed_up(ANNA)
    pair = await pair_of(kit)
    page = await read(kit, await ask(kit))
    polls = [asyncio.create_task(ask(kit, page.next, wait=25)) for _ in range(5)]
    await waiting(kit, 5)
    assert not any(poll.done() for poll in polls)
    await kit.browser().post("/auth/logout", json={"refresh_token": pair["refresh_token"]})
    async with asyncio.timeout(10):
        for poll in polls:
            told = await read(kit, await poll)
            assert [entry.id for entry in told.entries] == [session_mark(pair["session"]["id"])]
            assert told.next != page.next
    await waiting(kit, 0)


async def test_a_commit_of_another_process_is_noticed(database_url: str, tmp_path: Path) -> None:
    """Two engines on one database: a session that one ends is told to the followers of the other."""
    given: dict[str, Any] = {"database": database_url, "root_secret": ROOT}
    async with running(tmp_path / "one", **given) as one, AsyncExitStack() as stack:
        await one.signed_up(ANNA)  # before the other one could send the mail
        pair = await pair_of(one)
        two = await stack.enter_async_context(running(tmp_path / "two", **given))
        page = await read(two, await ask(two))
        poll = asyncio.create_task(ask(two, page.next, wait=25))
        await waiting(two, 1)
        await one.browser().post("/auth/logout", json={"refresh_token": pair["refresh_token"]})
        async with asyncio.timeout(10):
            told = await read(two, await poll)
        assert [entry.id for entry in told.entries] == [session_mark(pair["session"]["id"])]


async def test_waiting_costs_one_statement_for_all(kit: Kit) -> None:
    """While forty wait, the database is asked as often as if one did."""
    page = await read(kit, await ask(kit))
    seen: list[str] = []
    kit.engine.core.database.observe = seen.append
    polls = [asyncio.create_task(ask(kit, page.next, wait=25)) for _ in range(40)]
    while seen.count("revocations.page") < 80:  # noqa: ASYNC110  # each looks once more when it has its place
        await asyncio.sleep(0.05)
    del seen[:]
    while seen.count("revocations.count") < 4:  # noqa: ASYNC110  # nothing tells
        await asyncio.sleep(0.05)
    kit.engine.core.database.observe = None
    assert "revocations.page" not in seen
    assert seen.count("revocations.count") < 10
    kit.engine.core.feed.waiting.close()
    for poll in polls:
        assert (await read(kit, await poll)).entries == ()


@pytest.fixture
async def narrow(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine where eight followers may wait, two of them from one network."""
    async with running(tmp_path, database=database_url, feed_waiters=8) as kit:
        yield kit


async def test_places_are_bounded(narrow: Kit) -> None:
    """Two of a network wait, a third is answered at once; who leaves gives the place back."""
    page = await read(narrow, await ask(narrow))
    polls = [asyncio.create_task(ask(narrow, page.next, wait=25)) for _ in range(2)]
    await waiting(narrow, 2)
    async with asyncio.timeout(10):
        assert (await read(narrow, await ask(narrow, page.next, wait=25))).entries == ()
    polls += [asyncio.create_task(ask(narrow, page.next, wait=25, ip=f"203.0.{net}.1")) for net in range(6)]
    await waiting(narrow, 8)
    async with asyncio.timeout(10):
        assert (await ask(narrow, page.next, wait=25, ip="198.51.100.1")).status_code == 200
    polls.pop().cancel()
    await waiting(narrow, 7)
    narrow.engine.core.feed.waiting.close()
    async with asyncio.timeout(10):
        await asyncio.gather(*polls)
    await waiting(narrow, 0)


def scope_of(query: str) -> dict[str, Any]:
    """A poll as the server hands it to the engine."""
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "https",
        "path": "/auth/revocations", "raw_path": b"/auth/revocations", "root_path": "", "headers": [],
        "query_string": query.encode(), "client": ("192.0.2.1", 1), "server": ("a", 443),
    }  # fmt: skip


async def test_a_client_that_leaves_gives_its_place_back(kit: Kit) -> None:
    """The server notices that the connection is gone, and asks the database for nobody any more."""
    page = await read(kit, await ask(kit))
    left = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    sent: list[Any] = []
    asked = asyncio.create_task(kit.engine.app(scope_of(f"after={page.next}&wait=25"), receive, send))
    await waiting(kit, 1)
    left.set()
    async with asyncio.timeout(10):
        await asked
    assert kit.engine.core.feed.waiting.taken == 0
    assert kit.engine.core.feed.waiting._looking is None


async def test_clients_that_leave_cut_no_connection(postgres_url: str, tmp_path: Path) -> None:
    """However many leave in the middle of a statement: PostgreSQL's pool keeps its connections, nothing is logged."""
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    seen: list[str] = []

    async def send(_message: Any) -> None:
        """Nobody reads it."""

    async def client(query: str, statement: str, count: int) -> None:
        async def receive() -> dict[str, Any]:
            while seen.count(statement) < count:  # noqa: ASYNC110  # nothing tells
                await asyncio.sleep(0)
            return {"type": "http.disconnect"}

        await kit.engine.app(scope_of(query), receive, send)

    async def backends() -> list[int]:
        """The pool's connections, after it had reason to make as many as it may."""
        return (await asyncio.gather(*(kit.engine.core.database.all(BACKENDS) for _ in range(20))))[-1]

    async with running(tmp_path, database=postgres_url) as kit, asyncio.timeout(20):
        page = await read(kit, await ask(kit))
        await backends()
        before = await backends()
        kit.engine.core.database.observe = seen.append
        await asyncio.gather(*(client("", "revocations.page", 20) for _ in range(20)))
        assert await backends() == before, "left while their page was read"
        for _ in range(20):
            del seen[:]
            await client(f"after={page.next}&wait=25", "revocations.count", 1)
            await waiting(kit, 0)
        assert await backends() == before, "left while the last rows were counted"
    gc.collect()
    assert complaints == []


async def test_what_is_no_cursor_begins_again(kit: Kit) -> None:
    """Nothing is lost by a cursor of another deployment, another list, or none; a wait that may not be is refused."""
    await written(kit, 3)
    for cursor in ("", "nonsense", "a.b", "x" * 2000, "é"):
        assert len((await read(kit, await ask(kit, cursor, wait=25))).entries) == 3
    for wait in ("26", "-1", "1.5", "1e1", " 1", "٣"):
        answer = await kit.browser().get("/auth/revocations", params={"wait": wait})
        assert code_of(answer) == "invalid_request"


async def test_entries_are_swept_when_no_token_can_live(kit: Kit) -> None:
    """An hour and a bit after it was written an entry is gone, from the answers first and then from the table."""
    await kit.signed_up(ANNA)
    pair = await pair_of(kit)
    await kit.browser().post("/auth/logout", json={"refresh_token": pair["refresh_token"]})
    core = kit.engine.core
    kit.clock.turn(timedelta(minutes=59))
    assert len(await everything(kit)) == 1
    kit.clock.turn(timedelta(minutes=3))
    assert await everything(kit) == []
    await changed(kit, lambda change: core.feed.sweep(change.tx, 100))
    assert (await dump(kit))["revocation"] == []


async def test_an_answer_is_true_when_it_is_given(kit: Kit) -> None:
    """A wait that ends without news has looked again: what no wake has told is in the answer all the same."""
    core = kit.engine.core
    page = await read(kit, await ask(kit))
    poll = asyncio.create_task(ask(kit, page.next, wait=3))
    await waiting(kit, 1)
    await core.feed.waiting._ready.wait()
    looking = core.feed.waiting._looking
    assert looking is not None
    looking.cancel()  # nobody wakes anybody any more
    await written(kit, 1)
    async with asyncio.timeout(10):
        told = await read(kit, await poll)
    assert len(told.entries) == 1
