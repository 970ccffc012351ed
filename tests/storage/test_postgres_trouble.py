"""PostgreSQL in trouble: killed connections, deadlocks, restarts, locks that others hold; and pgbouncer's rules."""

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from ostiary.kernel.errors import Unavailable
from ostiary.storage.connect import database_for
from ostiary.storage.database import Conflict, Contended, Database
from ostiary.storage.statement import Query
from tests.storage.gate import gate_before
from tests.storage.shelf import (
    ADD,
    GET,
    LIST,
    THICKEN,
    Book,
    book_values,
    furnish,
    ids,
    opened,
    plain_engine,
)
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer, system_binaries, wheel_binaries

MY_PID = Query("test.pg.pid", sa.select(sa.func.pg_backend_pid()), int)
SETTING = Query(
    "test.pg.setting", sa.select(sa.func.current_setting(sa.bindparam("name", type_=sa.Text))), str
)


async def thicken(database: Database, *book_ids: str) -> None:
    """A small write."""
    async with database.transaction() as tx:
        for book_id in book_ids or ("first",):
            await tx.run(THICKEN, of_id=book_id)


async def test_every_connection_is_limited(on_postgres: Database) -> None:
    """The server itself ends statements after 5 s and transactions that nobody continues after 10 s."""
    assert await on_postgres.one(SETTING, name="statement_timeout") == "5s"
    assert await on_postgres.one(SETTING, name="idle_in_transaction_session_timeout") == "10s"


@pytest.mark.slow
async def test_a_row_that_somebody_else_holds(postgres_url: str, on_postgres: Database) -> None:
    """A statement that waits for a lock ends as `Unavailable` after 5 s; other rows are served meanwhile."""
    engine = plain_engine(postgres_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE book SET pages = pages + 1")
        async with asyncio.timeout(9):
            waiting = asyncio.create_task(thicken(on_postgres))
            for number in range(20):
                async with on_postgres.transaction() as tx:
                    await tx.run(ADD, **book_values(f"b{number}"))
            assert not waiting.done()
            with pytest.raises(Unavailable, match="took too long"):
                await waiting
    engine.dispose()
    await thicken(on_postgres)


@pytest.mark.slow
async def test_a_server_that_falls_silent(postgres_url: str) -> None:
    """Answers that never come are `Unavailable` in bounded time, and the executor recovers when they do again."""
    furnish(postgres_url)
    async with gate_before(postgres_url) as (gate, url), opened(url, pool_size=2) as database:
        gate.shut()
        async with asyncio.timeout(15):
            asked = [database.one(GET, id="first") for _ in range(5)]
            outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * 5
        gate.open()
        assert await database.one(GET, id="first") == Book("first", "First", 100)
        await thicken(database)


async def test_a_connection_killed_in_a_transaction(postgres_url: str, on_postgres: Database) -> None:
    """The transaction is lost once, as `Unavailable`, with all it wrote; the next one is served."""
    called: list[str] = []
    with pytest.raises(Unavailable):  # noqa: PT012 – what the transaction does on leaving is the subject
        async with on_postgres.transaction() as tx:
            await tx.run(ADD, **book_values("second"))
            tx.after_commit(lambda: called.append("committed"))
            pid = await tx.one(MY_PID)
            assert pid is not None
            await asyncio.to_thread(kill_plainly, postgres_url, pid)
            await tx.run(ADD, **book_values("third"))
    assert not called
    await thicken(on_postgres)
    assert await ids(on_postgres) == ["first"]


def kill_plainly(url: str, pid: int) -> None:
    """End a connection, as an administrator does."""
    engine = plain_engine(url)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")
    engine.dispose()


async def test_an_idle_connection_killed(postgres_url: str) -> None:
    """A connection that died in the pool costs at most one `Unavailable`; then everything is as before."""
    furnish(postgres_url)
    async with opened(postgres_url, pool_size=1) as database:
        pid = await database.one(MY_PID)
        assert pid is not None
        await asyncio.to_thread(kill_plainly, postgres_url, pid)
        failures = 0
        try:
            await thicken(database)
        except Unavailable:
            failures += 1
            await thicken(database)
        assert failures <= 1
        assert await database.one(MY_PID) != pid


async def test_a_deadlock_is_contended(on_postgres: Database) -> None:
    """Of two transactions that wait for each other one is `Contended`, the other commits."""
    async with on_postgres.transaction() as tx:
        await tx.run(ADD, **book_values("second"))
    both = asyncio.Barrier(2)

    async def cross(one: str, other: str) -> None:
        async with on_postgres.transaction() as tx:
            await tx.run(THICKEN, of_id=one)
            await both.wait()
            await tx.run(THICKEN, of_id=other)

    outcomes = await asyncio.gather(
        cross("first", "second"), cross("second", "first"), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [Contended]
    assert [(found.id, found.pages) for found in await on_postgres.all(LIST)] == [
        ("first", 101),
        ("second", 2),
    ]


async def test_more_tasks_than_connections(postgres_url: str) -> None:
    """A small pool is a line, not an error, as long as it moves."""
    furnish(postgres_url)
    async with opened(postgres_url, pool_size=2) as database:
        await asyncio.gather(*(thicken(database) for _ in range(30)))
        found = await database.one(GET, id="first")
        assert found is not None
        assert found.pages == 130


async def test_without_prepared_statements(postgres_url: str) -> None:
    """As pgbouncer in transaction mode wants it: no prepared statement stays, no start-up parameter but the name."""
    furnish(postgres_url)
    async with opened(postgres_url, prepared=False) as database:
        async with database.transaction() as tx:
            assert await tx.one(ADD, **book_values("second")) == Book("second", "Second", 1)
            assert await tx.run(THICKEN, of_id="second") == 1
        with pytest.raises(Conflict):
            async with database.transaction() as tx:
                await tx.run(ADD, **book_values("second"))
        assert await ids(database) == ["first", "second"]
        assert await database.one(SETTING, name="statement_timeout") == "0"
        assert await database.one(PREPARED) == 0
    async with opened(postgres_url, pool_size=1) as database:
        await ids(database)
        assert (await database.one(PREPARED) or 0) > 0, "the question above can be answered with no"


PREPARED = Query(
    "test.pg.prepared",
    sa.select(sa.func.count()).select_from(sa.table("pg_prepared_statements", sa.column("name")))
    .where(sa.column("name") != ""),
    int,
)  # fmt: skip


@pytest.mark.parametrize("wrong", ["password", "port", "name"])
async def test_a_server_that_lets_nobody_in(postgres_url: str, wrong: str) -> None:
    """A wrong password, port or name is `Unavailable` at start, and the message holds no password."""
    parts = urlsplit(postgres_url)
    password = parts.password or ""
    netloc = parts.netloc
    if wrong == "password":
        netloc = netloc.replace(password, "some-other-word")
    if wrong == "port":
        netloc = netloc.replace(str(parts.port), str(free_port()))
    path = "/no_such_database" if wrong == "name" else parts.path
    url = parts._replace(netloc=netloc, path=path).geturl()
    database = database_for(url, pool_size=1, prepared_statements=True)
    with pytest.raises(Unavailable, match="cannot connect") as caught:
        await database.open()
    assert password not in str(caught.value)
    assert "some-other-word" not in str(caught.value)


@pytest.fixture(scope="module")
def fragile() -> Iterator[PostgresServer]:
    """A server of its own that a test may crash."""
    server = PostgresServer(binaries=system_binaries() or wheel_binaries(), durable=True)
    try:
        server.start()
        yield server
    finally:
        server.stop()


async def test_a_server_that_crashes_and_comes_back(fragile: PostgresServer) -> None:
    """While it is away everything is `Unavailable`, in an open transaction, too; when it is back, all is served."""
    url = furnish(fragile.create_database())
    async with opened(url) as database:
        await thicken(database)
        with pytest.raises(Unavailable):  # noqa: PT012 – what the transaction does on leaving is the subject
            async with database.transaction() as tx:
                await tx.run(ADD, **book_values("second"))
                await asyncio.to_thread(fragile.crash)
                await tx.run(ADD, **book_values("third"))
        for _ in range(3):
            with pytest.raises(Unavailable):
                await database.one(GET, id="first")
            with pytest.raises(Unavailable):
                await thicken(database)
        await asyncio.to_thread(fragile.start)
        await thicken(database)
        assert await database.all(LIST) == [Book("first", "First", 102)]
