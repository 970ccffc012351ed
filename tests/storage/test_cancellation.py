"""A task cancelled in a transaction, at every place where it can wait: nothing half written, nothing left open."""

import asyncio

import pytest

from ostiary.storage.database import Database
from tests.storage.gate import gate_before
from tests.storage.shelf import ADD, REMOVE, SCAN, THICKEN, book_values, furnish, ids, opened, plain_engine

STEPS = 40


async def write_two(database: Database, started: asyncio.Event | None = None) -> None:
    """A transaction with two writes and a scan: either both rows are there afterwards, or neither."""
    async with database.transaction() as tx:
        await tx.run(ADD, **book_values("second"))
        if started is not None:
            started.set()
            await asyncio.sleep(60)
        await tx.all(SCAN)
        await tx.run(ADD, **book_values("third"))


async def assert_usable(database: Database) -> None:
    """The executor still writes, and nothing of an earlier transaction is in its way."""
    before = await ids(database)
    assert before in (["first"], ["first", "second", "third"])
    async with database.transaction() as tx:
        await tx.run(THICKEN, of_id="first")
        for book_id in before[1:]:
            await tx.run(REMOVE, id=book_id)
    assert await ids(database) == ["first"]


async def cancelled(task: "asyncio.Task[None]") -> bool:
    """Cancel a task and wait for its end; whether it really was cancelled."""
    task.cancel()
    await asyncio.wait([task])
    return task.cancelled()


async def test_between_two_statements(database: Database) -> None:
    """Cancelled while the caller waits for something else: rolled back, and `CancelledError` comes out."""
    started = asyncio.Event()
    task = asyncio.create_task(write_two(database, started))
    await started.wait()
    assert await cancelled(task)
    assert await ids(database) == ["first"]
    await assert_usable(database)


async def test_after_any_number_of_steps(database: Database) -> None:
    """Cancelled after each number of turns of the loop, so at begin, statement, scan, commit and in between."""
    was_cancelled = []
    for steps in range(STEPS):
        task = asyncio.create_task(write_two(database))
        for _ in range(steps):
            await asyncio.sleep(0)
        was_cancelled.append(await cancelled(task))
        await assert_usable(database)
    assert any(was_cancelled)


async def test_while_waiting_for_a_turn(empty_database_url: str) -> None:
    """Cancelled before it got the writer or a connection: nobody behind it in the line is stuck."""
    async with opened(furnish(empty_database_url), pool_size=1) as database:
        started = asyncio.Event()
        first = asyncio.create_task(write_two(database, started))
        await started.wait()
        waiting = [asyncio.create_task(write_two(database)) for _ in range(3)]
        await asyncio.sleep(0.01)
        assert await cancelled(waiting[0])
        assert await cancelled(first)
        # One of the two writes; the other finds its rows there.
        outcomes = await asyncio.gather(*waiting[1:], return_exceptions=True)
        assert sum(outcome is None for outcome in outcomes) == 1
        await assert_usable(database)


@pytest.mark.parametrize("at", ["BEGIN", "first statement", "second statement", "COMMIT"])
async def test_while_the_server_works(postgres_url: str, at: str) -> None:
    """PostgreSQL has the question but we have no answer yet: cancelled there, the connection is clean again."""
    furnish(postgres_url)
    async with gate_before(postgres_url) as (gate, url), opened(url, pool_size=1) as database:
        reached = asyncio.Event()

        async def work() -> None:
            if at == "BEGIN":
                gate.shut()
                reached.set()
            async with database.transaction() as tx:
                for place, book_id in (("first statement", "second"), ("second statement", "third")):
                    if at == place:
                        gate.shut()
                        reached.set()
                    await tx.run(ADD, **book_values(book_id))
                if at == "COMMIT":
                    gate.shut()
                    reached.set()

        task = asyncio.create_task(work())
        await reached.wait()
        await gate.asked.wait()
        await asyncio.sleep(0.05)  # the server has done it; only its answer is missing
        task.cancel()
        await asyncio.sleep(0.05)
        gate.open()
        await asyncio.wait([task])
        assert task.cancelled()
        assert open_transactions(postgres_url) == 0
        await assert_usable(database)


def open_transactions(url: str) -> int:
    """How many connections to this database are in a transaction that nobody continues."""
    engine = plain_engine(url)
    with engine.connect() as connection:
        count = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%%'"
        ).scalar_one()
    engine.dispose()
    return int(count)
