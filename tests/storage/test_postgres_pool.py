"""The pool: never more connections than it may have, none lost, and whoever asked first is served first."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ostiary.kernel.errors import Unavailable
from ostiary.storage.postgres_pool import Pool
from tests.storage.gate import gate_before
from tests.storage.shelf import plain_engine
from tests.support.ports import free_port


@pytest.fixture
async def pool(postgres_url: str) -> AsyncIterator[Pool]:
    """A pool of two."""
    pool = Pool(postgres_url, 2)
    yield pool
    await pool.close()


def connections(url: str) -> int:
    """How many connections to this database there are beside the one that asks."""
    engine = plain_engine(url)
    with engine.connect() as connection:
        count = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        ).scalar_one()
    engine.dispose()
    return int(count)


async def assert_whole(pool: Pool) -> None:
    """Two can be taken at once, and a third not."""
    first, second = await pool.take(), await pool.take()
    assert first is not second
    third = asyncio.create_task(pool.take())
    await asyncio.sleep(0.02)
    assert not third.done()
    pool.give(first)
    assert await third is first
    pool.give(first)
    pool.give(second)


async def test_never_more_than_it_may_have(postgres_url: str, pool: Pool) -> None:
    """Many at once, some of whom break their connection: there are two at most, and everybody is served."""
    most = 0
    taken = 0

    async def use(number: int) -> Any:
        nonlocal most, taken
        connection = await pool.take()
        taken += 1
        most = max(most, taken)
        answer = await connection.fetchval("SELECT $1::integer", number)
        taken -= 1
        if number % 5 == 0:
            pool.drop(connection)
        elif number % 7 == 0:
            connection.terminate()
            pool.give(connection)
        else:
            pool.give(connection)
        return answer

    assert await asyncio.gather(*(use(number) for number in range(40))) == list(range(40))
    assert most == 2
    await assert_whole(pool)
    assert await asyncio.to_thread(connections, postgres_url) == 2


async def test_who_asked_first_is_served_first(pool: Pool) -> None:
    """Connections are handed on in the order of asking; whoever left the line is passed over."""
    first, second = await pool.take(), await pool.take()
    served: list[int] = []

    async def ask(number: int) -> None:
        connection = await pool.take()
        served.append(number)
        pool.give(connection)

    asking = []
    for number in range(5):
        asking.append(asyncio.create_task(ask(number)))
        await asyncio.sleep(0)
    asking[1].cancel()
    await asyncio.sleep(0)
    pool.give(first)
    await asyncio.wait(asking)
    assert served == [0, 2, 3, 4]
    pool.give(second)
    await assert_whole(pool)


@pytest.mark.parametrize("how", ["give", "drop"])
async def test_cancelled_in_the_moment_of_being_served(pool: Pool, how: str) -> None:
    """What was handed to somebody who leaves goes to the next one, be it a connection or only the place for one."""
    first, second = await pool.take(), await pool.take()
    asking = [asyncio.create_task(pool.take()) for _ in range(2)]
    await asyncio.sleep(0.01)
    getattr(pool, how)(first)
    asking[0].cancel()
    async with asyncio.timeout(5):
        pool.give(await asking[1])
    assert asking[0].cancelled()
    pool.give(second)
    await assert_whole(pool)


async def test_a_place_is_not_lost_with_a_failure(postgres_url: str) -> None:
    """Whoever cannot connect, or is cancelled while it connects, leaves its place to the next."""
    pool = Pool(f"postgresql://nobody:nothing@127.0.0.1:{free_port()}/nowhere", 1)
    outcomes = await asyncio.gather(*(pool.take() for _ in range(3)), return_exceptions=True)
    assert all(isinstance(outcome, OSError) for outcome in outcomes)
    await pool.close()
    async with gate_before(postgres_url) as (gate, url):
        pool = Pool(url, 1)
        gate.shut()
        connecting = asyncio.create_task(pool.take())
        await gate.asked.wait()
        waiting = asyncio.create_task(pool.take())
        await asyncio.sleep(0.01)
        connecting.cancel()
        gate.open()
        async with asyncio.timeout(5):
            pool.give(await waiting)
        assert connecting.cancelled()
        await pool.close()


async def test_an_idle_connection_that_has_closed_is_replaced(pool: Pool) -> None:
    """One that broke while it lay there is not handed out, and its place is used."""
    first, second = await pool.take(), await pool.take()
    for connection in (first, second):
        pool.give(connection)
        connection.terminate()
    await assert_whole(pool)


async def test_closing(postgres_url: str, pool: Pool) -> None:
    """It waits for what is in use; whoever waits or comes later is refused; nothing stays open."""
    first, second = await pool.take(), await pool.take()
    waiting = asyncio.create_task(pool.take())
    await asyncio.sleep(0.01)
    pool.give(second)
    second = await waiting
    late = asyncio.create_task(pool.take())
    await asyncio.sleep(0.01)
    closing = asyncio.create_task(pool.close())
    await asyncio.sleep(0.01)
    assert not closing.done()
    with pytest.raises(Unavailable, match="not open"):
        await late
    with pytest.raises(Unavailable, match="not open"):
        await pool.take()
    pool.give(first)
    assert await second.fetchval("SELECT 1") == 1
    pool.give(second)
    async with asyncio.timeout(2):
        await closing
    for _ in range(100):
        if not await asyncio.to_thread(connections, postgres_url):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("a connection stayed open")


async def test_closing_after_the_pool_was_empty(pool: Pool) -> None:
    """A pool that had no connection for a moment waits all the same for those that it has when it is closed."""
    pool.drop(await pool.take())
    connection = await pool.take()
    closing = asyncio.create_task(pool.close())
    await asyncio.sleep(0.01)
    assert not closing.done()
    assert await connection.fetchval("SELECT 1") == 1
    pool.give(connection)
    async with asyncio.timeout(2):
        await closing
    assert connection.is_closed()


@pytest.mark.slow
async def test_closing_does_not_wait_for_ever(pool: Pool) -> None:
    """A connection that never comes back is cut."""
    connection = await pool.take()
    async with asyncio.timeout(8):
        await pool.close()
    assert connection.is_closed()


@pytest.mark.slow
async def test_waiting_has_an_end(pool: Pool) -> None:
    """Nobody waits longer than five seconds, and whoever gave up takes nothing along."""
    first, second = await pool.take(), await pool.take()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(8):
            await pool.take()
    pool.give(first)
    pool.give(second)
    await assert_whole(pool)
