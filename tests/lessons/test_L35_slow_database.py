"""L35: a database that was slow, not down, took everything with it. Here waiting is bounded and the rest is served.

Slow is what another connection makes it: it holds a lock on a row or a table for as long as the test wants.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ostiary.core.accounts.store import LOCK
from ostiary.core.change import Change
from ostiary.core.mail.mailbox import Mailbox
from ostiary.engine.engine import Engine
from ostiary.engine.features import RIBS
from ostiary.engine.settings import load
from ostiary.kernel.errors import Unavailable
from ostiary.kernel.origin import Origin
from ostiary.kernel.world import World
from ostiary.server import health
from ostiary.testing import Kit, TurnedClock
from ostiary.testing.kit import CHEAP, PASSWORD
from tests.storage.shelf import plain_engine


@asynccontextmanager
async def server_on(url: str) -> AsyncIterator[Kit]:
    """An engine with the server's probes."""
    clock, mailbox = TurnedClock(), Mailbox()
    world = World(clock)
    base = "https://auth.example.test"
    given: dict[str, object] = {
        "database": url, "auto_migrate": True, "base_url": base, "root_secret": world.token().reveal(),
        "smtp_host": "mail.example.test", "mail_from": "no-reply@auth.example.test", "outbox_poll": "200ms",
    }  # fmt: skip
    engine = Engine(load(RIBS, world, given), RIBS, world, mailbox, CHEAP, health.ROUTES)
    async with Kit(engine, clock, mailbox, base) as kit:
        yield kit


@pytest.fixture
async def served(postgres_url: str) -> AsyncIterator[Kit]:
    """The same on PostgreSQL."""
    async with server_on(postgres_url) as kit:
        yield kit


@asynccontextmanager
async def held(url: str, statement: str) -> AsyncIterator[None]:
    """Another connection is in a transaction that has done this and does not end.

    It asks for its lock in a thread: whoever has it may be a transaction of the engine, which needs the loop to end.
    """
    loose = {"check_same_thread": False} if url.startswith("sqlite") else {}
    engine = plain_engine(url, **loose)
    connection = await asyncio.to_thread(engine.connect)
    try:
        await asyncio.to_thread(connection.exec_driver_sql, statement)
        yield
    finally:
        connection.close()
        engine.dispose()


async def test_ready_means_soon_enough(postgres_url: str, served: Kit) -> None:
    """When the database answers too late the probe says 503 within seconds, the process is alive, checks go on."""
    anna = await served.signed_in("anna@example.com")
    probe = served.browser()
    assert (await probe.get("/readyz")).status_code == 200
    async with held(postgres_url, "LOCK TABLE keyring IN ACCESS EXCLUSIVE MODE"):
        async with asyncio.timeout(5):
            asked = asyncio.create_task(probe.get("/readyz"))
            checks = 0
            while not asked.done():
                assert (await anna.get("/auth/session")).status_code == 200
                checks += 1
            answer = await asked
        assert (answer.status_code, answer.text) == (503, "database does not answer\n")
        assert checks > 20
        assert (await probe.get("/healthz")).status_code == 200
    assert (await probe.get("/readyz")).status_code == 200


async def test_one_slow_row(postgres_url: str, served: Kit) -> None:
    """A sign-in that waits for a locked account is 503 with Retry-After in bounded time; others are served."""
    anna = await served.signed_in("anna@example.com")
    ben = await served.signed_in("ben@example.com")
    user = (await anna.get("/auth/session")).json()["user"]["id"]
    credentials = {"identifier": "anna@example.com", "password": PASSWORD}
    async with held(postgres_url, f"SELECT id FROM account WHERE id = '{user}' FOR UPDATE"):
        async with asyncio.timeout(20):
            waiting = asyncio.create_task(served.browser().post("/auth/login", json=credentials))
            checks = 0
            while not waiting.done():
                assert (await ben.get("/auth/session")).status_code == 200
                assert (await anna.get("/auth/session")).status_code == 200
                checks += 1
            answer = await waiting
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert checks > 20
    assert (await served.browser().post("/auth/login", json=credentials)).status_code == 200
    assert len((await anna.get("/auth/sessions")).json()["sessions"]) == 2, "the refused one left no session"


@pytest.mark.slow
async def test_a_pool_full_of_waiters(postgres_url: str, served: Kit) -> None:
    """More waiters than connections: each is refused in bounded time, and everything recovers at once."""
    anna = await served.signed_in("anna@example.com")
    async with held(postgres_url, "LOCK TABLE session IN ACCESS EXCLUSIVE MODE"):
        async with asyncio.timeout(20):
            answers = await asyncio.gather(*(anna.get("/auth/session") for _ in range(40)))
    assert {answer.status_code for answer in answers} == {503}
    assert (await anna.get("/auth/session")).status_code == 200


async def test_a_deadlock_is_run_again(served: Kit) -> None:
    """Two changes that lock the same two accounts in opposite order both succeed: the flow runs the loser again."""
    ids = []
    for name in ("anna", "ben"):
        browser = await served.signed_in(f"{name}@example.com")
        ids.append((await browser.get("/auth/session")).json()["user"]["id"])
    both = asyncio.Barrier(2)
    runs = 0

    async def cross(first: str, second: str) -> str:
        met = False

        async def work(change: Change) -> str:
            nonlocal met, runs
            runs += 1
            await change.one(LOCK, id=first)
            if not met:
                met = True
                await both.wait()
            await change.one(LOCK, id=second)
            return second

        async with served.engine.core.runner.flow(Origin()) as flow:
            return await flow.change(work)

    one, other = ids
    reached = list(await asyncio.gather(cross(one, other), cross(other, one)))
    assert reached == [other, one]
    assert runs in (3, 4), "both may be told to give way, when both look at the same moment"


async def test_a_write_that_waits_on_sqlite(tmp_path: Path) -> None:
    """While another process' transaction holds the only writer, reading goes on and the writer's turn comes."""
    url = f"sqlite:///{tmp_path / 'ostiary.db'}"
    async with server_on(url) as kit:
        anna = await kit.signed_in("anna@example.com")
        async with held(url, "BEGIN IMMEDIATE"):
            waiting = asyncio.create_task(anna.post("/auth/logout"))
            for _ in range(50):
                assert (await anna.get("/auth/session")).status_code == 200
            assert (await anna.get("/readyz")).status_code == 200
            assert not waiting.done()
        assert (await waiting).status_code == 204


async def test_what_the_caller_is_told(served: Kit) -> None:
    """A database that is closed is `Unavailable` inside and a problem document outside, without its words."""
    await served.engine.core.database.close()
    with pytest.raises(Unavailable):
        await served.engine.core.sessions.resolve(f"{served.engine.core.world.id()}.{'x' * 43}")
    cookie = f"{served.engine.core.world.id()}.{'x' * 43}"
    browser = served.browser(cookies={served.engine.app.edge.cookies.session: cookie})
    answer = await browser.get("/auth/session")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "postgres" not in answer.text
    assert (await browser.get("/readyz")).status_code == 503
    await served.engine.core.database.open()
