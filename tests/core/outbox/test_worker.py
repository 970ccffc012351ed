"""A letter is delivered at least once, by one worker at a time, or ends as a dead letter that says why."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.outbox import store
from ostiary.core.outbox.outbox import Letter, Permanent, Temporary, requeue
from ostiary.core.outbox.worker import BACK_OFF, Chore, Worker, dead_letter_chore
from ostiary.kernel.errors import Misuse, Unavailable
from ostiary.kernel.world import World, span_micros
from ostiary.storage.database import Database, Transaction
from ostiary.storage.statement import command
from ostiary.testing.clock import TurnedClock
from tests.core.outbox.places import (
    PATIENCE,
    Place,
    Recorder,
    Row,
    dead,
    far,
    place_at,
    running,
    until,
    until_async,
)

_ALTERED = command(
    "test.outbox_altered",
    sa.insert(store.outbox).values(
        id=bindparam("id"), kind="mail", sealed="unknown.AAAA", created_at=bindparam("now"),
        due_at=bindparam("now"), attempts=0, state="queued", last_error="",
    ),
)  # fmt: skip


async def test_a_commit_wakes_the_worker(database_url: str) -> None:
    """In the process that put it in, a letter does not wait for the next poll."""
    async with place_at(database_url, clock=_Endless()) as place:
        recorder = Recorder()
        async with running(place.worker(recorder)):
            await asyncio.sleep(0.05)
            await place.put({"n": 1})
            await until(lambda: recorder.letters)


async def test_another_process_is_polled(place: Place) -> None:
    """What another process put in is found without a wake-up."""
    other = await place.another_process()
    recorder = Recorder()
    async with running(place.worker(recorder)):
        await other.put({"n": 1})
        await until(lambda: recorder.letters)
    await other.database.close()


async def test_two_workers_share_the_work(place: Place) -> None:
    """Two processes deliver sixty letters once each, and never the same one at the same time."""
    other = await place.another_process()
    under_way: Counter[str] = Counter()
    delivered: Counter[str] = Counter()
    by: Counter[str] = Counter()

    def deliverer(name: str) -> Callable[[Letter], Awaitable[None]]:
        async def deliver(letter: Letter) -> None:
            under_way[letter.id] += 1
            assert under_way[letter.id] == 1
            await asyncio.sleep(0.003)
            under_way[letter.id] -= 1
            delivered[letter.id] += 1
            by[name] += 1

        return deliver

    put = [await place.put({"n": n}) for n in range(60)]
    async with running(place.worker(deliverer("a")), other.worker(deliverer("b"))):
        await place.empty()
    assert delivered == Counter(put)
    assert set(by) == {"a", "b"}
    await other.database.close()


async def test_a_dead_workers_letter_is_delivered_again(place: Place) -> None:
    """A worker that dies after claiming loses nothing: when the lease is over, another one delivers the same id."""
    put = await place.put({"n": 1})
    reached = asyncio.Event()

    async def hang(letter: Letter) -> None:
        reached.set()
        await asyncio.Event().wait()

    dying = asyncio.create_task(place.worker(hang).run())
    await asyncio.wait_for(reached.wait(), 10)
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying

    recorder = Recorder()
    other = await place.another_process()
    async with running(other.worker(recorder)):
        await asyncio.sleep(0.1)
        assert recorder.letters == []  # the lease is not over
        place.clock.turn(place.outbox.settings.outbox_lease + timedelta(seconds=1))
        await place.empty()
    assert [(letter.id, letter.attempts) for letter in recorder.letters] == [(put, 2)]
    await other.database.close()


async def test_a_failed_try_waits_longer_each_time(place: Place) -> None:
    """Temporary failures are retried after the planned waits, give or take a quarter, and then the letter is dead."""
    recorder = Recorder(*[Temporary("server busy: 451")] * 50)
    await place.put({"n": 1})
    async with running(place.worker(recorder)):
        for number, planned in enumerate(BACK_OFF, 1):
            row = await _settled(place, number)
            wait = timedelta(microseconds=row.due_at - place.world.micros())
            assert planned * 0.75 - timedelta(seconds=5) <= wait <= planned * 1.25
            assert (row.state, row.last_error) == ("queued", "server busy: 451")
            place.clock.turn(planned * 1.3)
        await until(lambda: recorder.tries == len(BACK_OFF) + 1)
    (letter,) = await dead(place.database)
    assert (letter.attempts, letter.last_error) == (len(BACK_OFF) + 1, "server busy: 451")
    assert timedelta(days=2.5) < sum(BACK_OFF, timedelta()) < timedelta(days=3.5)
    told = [(entry.type, entry.severity) for entry in await place.journal()]
    assert told == [("mail_dead", "warning")] + [("mail_delayed", "notice")] * len(BACK_OFF), "newest first"


async def test_a_permanent_failure_is_dead_at_once_and_told(place: Place) -> None:
    """No second try; the journal has one warning with the reason; requeueing lets it start over."""
    recorder = Recorder(Permanent("recipient refused: 550 5.1.1"))
    put = await place.put({"to": "alice@example.org"})
    async with running(place.worker(recorder)):
        await until(lambda: recorder.tries)
    (letter,) = await dead(place.database)
    assert (letter.id, letter.attempts, letter.last_error) == (put, 1, "recipient refused: 550 5.1.1")
    (entry,) = await place.journal()
    assert (entry.type, entry.severity) == ("mail_dead", "warning")
    assert "recipient refused" in entry.data
    assert "alice" not in entry.data
    async with place.change() as change:
        assert await requeue(change, put)
    assert [entry.type for entry in await place.journal()] == ["mail_requeued", "mail_dead"]
    async with running(place.worker(recorder)):
        await place.empty()
    assert [(letter.id, letter.attempts) for letter in recorder.letters] == [(put, 1)]


async def test_a_delivery_writes_no_journal(place: Place) -> None:
    """An ordinary mail is no security event."""
    await place.put({"n": 1})
    async with running(place.worker(Recorder())):
        await place.empty()
    assert await place.journal() == []


async def test_a_stalled_delivery_ends_before_its_lease(database_url: str) -> None:
    """A deliverer that never returns holds its place only for `outbox_timeout`, and others pass it meanwhile."""
    async with place_at(database_url, outbox_timeout=timedelta(seconds=0.3), outbox_parallel=2) as place:
        passed: list[str] = []

        async def stall(letter: Letter) -> None:
            if letter.payload["stalls"]:
                await asyncio.Event().wait()
            passed.append(letter.id)

        stalled = await place.put({"stalls": True})
        others = [await place.put({"stalls": False}) for _ in range(5)]
        async with running(place.worker(stall)):
            await until(lambda: sorted(passed) == sorted(others))

            async def is_alone() -> bool:
                return [(row.id, row.state, row.last_error) for row in await place.rows()] == [
                    (stalled, "queued", "took too long")
                ]

            await until_async(is_alone)


async def test_a_free_place_is_filled_without_the_clock(database_url: str) -> None:
    """While letters wait, each place that becomes free is taken at once: in this time nothing is ever polled."""
    async with place_at(database_url, clock=_Endless(), outbox_parallel=3) as place:
        taken: list[str] = []

        async def deliver(letter: Letter) -> None:
            await asyncio.sleep(0.002 * (letter.payload["n"] % 3))
            taken.append(letter.id)

        put = [await place.put({"n": n}) for n in range(60)]
        async with running(place.worker(deliver)):
            await place.empty()
        assert sorted(taken) == sorted(put)


async def test_a_defect_of_a_deliverer_is_a_failed_try(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """The worker lives on; neither the row nor the log repeats what the exception said."""

    async def break_down(letter: Letter) -> None:
        raise RuntimeError(letter.payload["link"])

    await place.put({"link": "secret-link"})
    async with running(place.worker(break_down)):
        row = await _settled(place, 1)
    assert row.last_error == "defect: RuntimeError"
    assert "break_down" in caplog.text
    assert "secret-link" not in caplog.text


@pytest.mark.parametrize("what", ["unopenable", "unknown kind"])
async def test_what_cannot_be_delivered_here_waits(place: Place, what: str) -> None:
    """A row for a newer process (another key, another kind) is neither lost nor buried."""
    other = await place.another_process()
    recorder = Recorder()
    if what == "unknown kind":
        await other.put({"n": 1}, kind="webhook")
    else:
        async with place.change() as change:
            await change.run(_ALTERED, id=place.world.id(), now=change.micros)
    async with running(place.worker(recorder)):
        row = await _settled(place, 1)
    assert row.state == "queued"
    assert row.last_error
    assert recorder.tries == 0
    await other.database.close()


async def test_a_letter_that_kills_workers_is_buried(place: Place) -> None:
    """A row that was claimed too often without any outcome is not tried for ever."""
    await place.put({"n": 1})
    for _ in range(len(BACK_OFF) + 1):
        assert len(await _claim_and_die(place)) == 1
        place.clock.turn(place.outbox.settings.outbox_lease * 2)
    recorder = Recorder()
    async with running(place.worker(recorder)):
        await until_dead(place)
    assert recorder.tries == 0


async def test_a_stop_finishes_what_is_under_way(place: Place) -> None:
    """After `stop` nothing is claimed, and what was begun is delivered and deleted."""
    begun, finish = asyncio.Event(), asyncio.Event()
    delivered: list[str] = []

    async def slow(letter: Letter) -> None:
        begun.set()
        await finish.wait()
        delivered.append(letter.id)

    put = await place.put({"n": 1})
    worker = place.worker(slow)
    task = asyncio.create_task(worker.run())
    await asyncio.wait_for(begun.wait(), 10)
    worker.stop()
    late = await place.put({"n": 2})
    await asyncio.sleep(0.05)
    assert not task.done()
    finish.set()
    await asyncio.wait_for(task, 10)
    assert delivered == [put]
    assert [row.id for row in await place.rows()] == [late]


async def test_database_errors_do_not_end_the_worker(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """While the database is away the worker logs and tries again; when it is back, the letter leaves."""
    await place.put({"n": 1})
    flaky = await place.another_process()
    await flaky.database.close()  # every statement now fails
    recorder = Recorder()
    worker = flaky.worker(recorder)
    async with running(worker):
        await until(lambda: caplog.text.count("the database gave nothing") >= 2)
        await flaky.database.open() if flaky.database.dialect == "postgresql" else _swap(
            worker, place.database
        )
        await place.empty()
    assert len(recorder.letters) == 1
    if flaky.database.dialect == "postgresql":
        await flaky.database.close()


async def test_an_outcome_is_written_although_the_database_blinks(place: Place) -> None:
    """A delivered letter is not delivered again because the delete failed at first."""
    recorder = Recorder()
    blinking = _Blinking(place.database)

    async def deliver(letter: Letter) -> None:
        await recorder(letter)
        blinking.fails = 3

    await place.put({"n": 1})
    worker = place.worker(deliver)
    _swap(worker, blinking)  # type: ignore[arg-type]
    async with running(worker):
        await place.empty()
    assert recorder.tries == 1
    assert blinking.fails == 0


async def test_housekeeping_runs_when_due(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """A chore runs at start, in batches until nothing is left, and again when due; a failing one harms nobody."""
    left = [7, 3, 0]
    runs: list[int] = []

    async def tidy(database: Database, world: World) -> int:
        assert database is place.database
        runs.append(left.pop(0) if left else 0)
        return runs[-1]

    async def fail(database: Database, world: World) -> int:
        raise Unavailable("away")

    chores = (Chore("fails", timedelta(hours=1), fail), Chore("tidies", timedelta(hours=1), tidy))
    async with running(place.worker(Recorder(), *chores)):
        await until(lambda: len(runs) == 3)
        await asyncio.sleep(0.05)
        assert runs == [7, 3, 0]
        place.clock.turn(timedelta(hours=1))
        await until(lambda: len(runs) == 4)
    assert "fails failed" in caplog.text


async def test_dead_letters_are_dropped_in_the_end(place: Place) -> None:
    """They hold addresses, so they are kept only for `outbox_dead_kept`; queued rows stay."""
    await place.put({"n": 1})
    async with running(place.worker(Recorder(Permanent("no")))):
        await until_dead(place)
    place.clock.turn(place.outbox.settings.outbox_dead_kept - timedelta(hours=1))
    queued = await place.put({"n": 2}, kind="webhook")
    chore = dead_letter_chore(place.outbox.settings)
    assert await chore.run(place.database, place.world) == 0
    place.clock.turn(timedelta(hours=2))
    assert await chore.run(place.database, place.world) == 1
    assert [row.id for row in await place.rows()] == [queued]


async def test_chores_have_different_names(place: Place) -> None:
    """Two chores of one name are a mistake of ours, told at start."""
    chore = dead_letter_chore(place.outbox.settings)
    with pytest.raises(Misuse, match="same name"):
        place.worker(Recorder(), chore, chore)


def test_the_lease_is_longer_than_a_delivery() -> None:
    """Whatever a turned clock does to leases, no back-off is longer than a test's leap."""
    assert max(BACK_OFF) * 1.25 < far()
    assert span_micros(BACK_OFF[0]) == 30_000_000


# ── what the tests above need ──


class _Endless(TurnedClock):
    """Whoever sleeps by this clock is only woken by an event."""

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.Event().wait()


async def _settled(place: Place, attempts: int) -> Row:
    """Return the one row once its try has been noted."""
    async with asyncio.timeout(PATIENCE):
        while True:
            rows = await place.rows()
            for row in rows:
                if row.attempts == attempts and row.lease_until is None and row.last_error:
                    return row
            await asyncio.sleep(0.005)


async def until_dead(place: Place) -> None:
    """Wait for a dead letter."""
    await until_async(lambda: dead(place.database))


async def _claim_and_die(place: Place) -> list[store.Claimed]:
    now = place.world.micros()
    lease = now + span_micros(place.outbox.settings.outbox_lease)
    async with place.database.transaction() as tx:
        return await tx.all(store.CLAIM, now=now, batch=5, new_lease_until=lease)


def _swap(worker: Worker, database: Database) -> None:
    worker._database = database


class _Blinking:
    """A database whose next transactions fail."""

    def __init__(self, real: Database) -> None:
        self._real = real
        self.fails = 0
        self.one = real.one

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        if self.fails:
            self.fails -= 1
            raise Unavailable("blink")
        return self._real.transaction()
