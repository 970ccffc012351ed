"""The hashing pool: its own threads, a bounded queue, and callers who may leave."""

import asyncio
import os
import sys
import threading
from datetime import timedelta

import pytest

from ostiary.core.passwords.pool import HashingPool, queue_size
from ostiary.kernel.errors import Unavailable


class Gate:
    """A slow function that says when it has begun and ends when it is told to."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.open = threading.Event()
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        self.begun.release()
        assert self.open.wait(20)
        return threading.current_thread().name


async def test_hashing_does_not_block_the_event_loop() -> None:
    """The loop goes on turning while all workers are busy, and the work is done in the pool's threads."""
    pool, gate = HashingPool(workers=1), Gate()
    task = asyncio.create_task(pool.run(gate))
    await asyncio.sleep(0)
    assert await asyncio.to_thread(gate.begun.acquire, timeout=20)
    for _ in range(100):
        await asyncio.sleep(0)
    assert not task.done()
    gate.open.set()
    assert (await task).startswith("ostiary-hashing-")
    pool.close()


async def test_full_queue_is_unavailable_at_once() -> None:
    """One call more than workers and queue hold is answered with `Unavailable` and 1 to 2 seconds, and does not run."""
    pool, gate = HashingPool(workers=2, queue=3), Gate()
    tasks = [asyncio.create_task(pool.run(gate)) for _ in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="full") as refused:
        await pool.run(gate)
    assert timedelta(seconds=1) <= refused.value.retry_after <= timedelta(seconds=2)
    gate.open.set()
    assert len(await asyncio.gather(*tasks)) == gate.calls == 5
    assert await pool.run(len, "free again") == 10
    pool.close()


async def test_cancelled_callers_leave_the_queue() -> None:
    """Who goes away while waiting frees the place and is not worked for."""
    pool, gate = HashingPool(workers=1, queue=2), Gate()
    running = asyncio.create_task(pool.run(gate))
    await asyncio.sleep(0)
    assert await asyncio.to_thread(gate.begun.acquire, timeout=20)
    waiting = [asyncio.create_task(pool.run(gate)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await pool.run(gate)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    later = [asyncio.create_task(pool.run(len, "abc")) for _ in range(2)]
    await asyncio.sleep(0)
    gate.open.set()
    await running
    assert await asyncio.gather(*later) == [3, 3]
    assert gate.calls == 1
    pool.close()


async def test_cancelling_a_running_call_harms_nobody() -> None:
    """A caller who goes away during the work leaves a worker that serves the next."""
    pool, gate = HashingPool(workers=1), Gate()
    task = asyncio.create_task(pool.run(gate))
    await asyncio.sleep(0)
    assert await asyncio.to_thread(gate.begun.acquire, timeout=20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.open.set()
    assert await pool.run(len, "abc") == 3
    pool.close()


async def test_errors_reach_the_caller_and_the_thread_lives_on() -> None:
    """What the function raises is raised to the one who called it."""
    pool = HashingPool(workers=1)
    with pytest.raises(ZeroDivisionError):
        await pool.run(divmod, 1, 0)
    assert await pool.run(divmod, 7, 2) == (3, 1)
    pool.close()


async def test_closing_refuses_what_waits_and_ends_the_threads() -> None:
    """After `close` waiting and new calls are unavailable, running ones finish, and no thread remains."""
    pool, gate = HashingPool(workers=1), Gate()
    running = asyncio.create_task(pool.run(gate))
    await asyncio.sleep(0)
    assert await asyncio.to_thread(gate.begun.acquire, timeout=20)
    waiting = asyncio.create_task(pool.run(gate))
    await asyncio.sleep(0)
    pool.close()
    pool.close()
    with pytest.raises(Unavailable, match="closed"):
        await waiting
    with pytest.raises(Unavailable, match="closed"):
        await pool.run(len, "abc")
    gate.open.set()
    assert (await running).startswith("ostiary-hashing-")
    for thread in pool._threads:
        await asyncio.to_thread(thread.join, 20)
        assert not thread.is_alive()


def test_threads_start_with_the_first_call_only() -> None:
    """A pool that was never used has no threads that a fork could lose."""
    assert HashingPool(workers=3)._threads == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities for threads")
async def test_threads_yield_to_others() -> None:
    """The pool's threads have the niceness asked for, and the event loop's thread keeps its own."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    pool = HashingPool(workers=1, niceness=7)
    nice = await pool.run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    assert nice == max(7, before)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
    pool.close()


@pytest.mark.parametrize(
    ("workers", "millis", "size"),
    [(1, 250, 8), (4, 250, 32), (1, 1000, 4), (2, 0, 128), (1, 30, 64)],
)
def test_queue_holds_about_two_seconds_of_work(workers: int, millis: int, size: int) -> None:
    """The queue is as long as two seconds of work, within bounds."""
    assert queue_size(workers, timedelta(milliseconds=millis)) == size
