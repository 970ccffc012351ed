"""Owns the worker loop: claims by lease, delivers outside any transaction, retries, buries, and keeps house.

Any number of processes may run one. Nothing that goes wrong in the database, with the other side or in a chore ends
the loop; only `stop` and cancellation do.
"""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from ostiary.core.change import Change, Reactions
from ostiary.core.outbox import store
from ostiary.core.outbox.outbox import EVENTS, MAIL_DEAD, MAIL_DELAYED, Deliver, Outbox, Permanent, Temporary
from ostiary.core.outbox.settings import OutboxSettings
from ostiary.kernel.errors import Misuse
from ostiary.kernel.events import Event, EventType
from ostiary.kernel.origin import Origin
from ostiary.kernel.world import World, from_micros, span_micros
from ostiary.storage.database import Database

log: Final = logging.getLogger(__name__)

# Waits after the 1st, 2nd … failed try; together about three days, as long as mail servers usually try.
BACK_OFF: Final = (
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=4),
    timedelta(hours=8),
    *(timedelta(hours=12),) * 5,
)
_PAUSE: Final = timedelta(seconds=2)  # after a database error
_ROUNDS: Final = 200
_BREATH: Final = timedelta(milliseconds=20)
_LONGEST_NAP: Final = timedelta(minutes=1)
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Chore:
    """Housekeeping that a worker does now and then.

    Attributes:
        name: For the log; unique.
        every: How long after one run the next one is due.
        run: Does one bounded batch and returns how many rows it changed; while that is not zero it is called again,
            after a breath. Several workers may run it at once.
    """

    name: str
    every: timedelta
    run: Callable[[Database, World], Awaitable[int]]


def dead_letter_chore(settings: OutboxSettings) -> Chore:
    """Drops dead letters that were kept long enough: they hold addresses."""

    async def sweep(database: Database, world: World) -> int:
        before = world.micros() - span_micros(settings.outbox_dead_kept)
        async with database.transaction() as tx:
            return await tx.run(store.SWEEP_DEAD, before=before, batch=_BATCH)

    return Chore("dead_letters", timedelta(hours=1), sweep)


class Worker:
    """Delivers what is in the outbox; runs once, in one event loop.

    Args:
        world: Clock and chance.
        database: Where the outbox is.
        outbox: Opens rows and says when something arrived.
        deliverers: Who delivers which kind.
        housekeeping: What else is done now and then.
        reactions: Who reacts to `mail_delayed` and `mail_dead`; without any they are only written to the journal.
    """

    def __init__(
        self,
        world: World,
        database: Database,
        outbox: Outbox,
        deliverers: Mapping[str, Deliver],
        housekeeping: Sequence[Chore] = (),
        reactions: Reactions | None = None,
    ) -> None:
        if len({chore.name for chore in housekeeping}) < len(housekeeping):
            raise Misuse("two chores have the same name")
        self._world = world
        self._database = database
        self._outbox = outbox
        self._settings = outbox.settings
        self._deliverers = dict(deliverers)
        self._chores = tuple(housekeeping)
        self._reactions = reactions or Reactions(EVENTS, ())
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._may_be_more = False

    async def run(self) -> None:
        """Work until `stop`, then finish what is under way; or until cancelled, which drops what is under way.

        What a cancelled worker had claimed is delivered again when the lease ends.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._deliver_all())
            group.create_task(self._keep_house())

    def stop(self) -> None:
        """Claim nothing more; `run` returns once everything under way has ended."""
        self._stopping.set()
        self._outbox.arrived.set()

    # ── delivering ──

    async def _deliver_all(self) -> None:
        arrived = self._outbox.arrived
        try:
            while not self._stopping.is_set():
                arrived.clear()  # before looking, so that what arrives meanwhile is not slept through
                # Only as many as can start at once: a lease counts from the claim, not from the delivery.
                places = self._places()
                rows = await self._claim(places)
                for row in rows:
                    task = asyncio.create_task(self._handle(row))
                    self._running.add(task)
                    task.add_done_callback(self._ended)
                # Then what waits, waits for a place and not for the clock.
                self._may_be_more = len(rows) == places
                if not (self._may_be_more and self._places()):
                    await self._nap(arrived, self._settings.outbox_poll)
            if self._running:
                await asyncio.wait(self._running)
        finally:
            left = list(self._running)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if self._may_be_more:
            self._outbox.arrived.set()

    def _places(self) -> int:
        return self._settings.outbox_parallel - len(self._running)

    async def _claim(self, places: int) -> list[store.Claimed]:
        if places < 1:
            return []
        try:
            now = self._world.micros()
            if await self._database.one(store.PEEK, now=now) is None:
                return []
            lease_until = now + span_micros(self._settings.outbox_lease)
            async with self._database.transaction() as tx:
                return await tx.all(store.CLAIM, now=now, batch=places, new_lease_until=lease_until)
        except Exception:
            log.exception("outbox: the database gave nothing; trying again in %s", _PAUSE)
            await self._nap(self._stopping, _PAUSE)
            return []

    async def _handle(self, row: store.Claimed) -> None:
        deadline = self._world.monotonic() + self._settings.outbox_lease.total_seconds()
        failure = await self._attempt(row)
        while True:
            try:
                return await self._settle(row, failure)
            except Exception:
                # Giving up here means that a delivered letter is delivered again.
                log.exception("outbox: cannot note the outcome of %s %s", row.kind, row.id)
                if self._stopping.is_set() or self._world.monotonic() > deadline:
                    return None
                await self._nap(self._stopping, _PAUSE)

    async def _attempt(self, row: store.Claimed) -> Temporary | Permanent | None:
        if row.attempts > len(BACK_OFF) + 1:
            return Permanent("workers kept dying while they delivered it")
        try:
            async with asyncio.timeout(self._settings.outbox_timeout.total_seconds()):
                await self._deliver(row)
        except (Temporary, Permanent) as failure:
            return failure
        except TimeoutError:
            return Temporary("took too long")
        except Exception as error:  # noqa: BLE001  # any defect of a deliverer is a failed try, never a dead worker
            # Where it happened but not what it said: the message may quote the letter.
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("outbox: %s %s: %s\n%s", row.kind, row.id, type(error).__name__, where)  # noqa: TRY400
            return Temporary(f"defect: {type(error).__name__}")
        return None

    async def _deliver(self, row: store.Claimed) -> None:
        letter = self._outbox.open(row)
        if letter is None:
            # Another process may have the key already: keys are rotated while several run.
            raise Temporary("no key at hand opens it")
        if not letter.is_live:
            return
        deliver = self._deliverers.get(row.kind)
        if deliver is None:
            raise Temporary("nothing here delivers this kind")
        await deliver(letter)

    async def _settle(self, row: store.Claimed, failure: Temporary | Permanent | None) -> None:
        if failure is None:
            async with self._database.transaction() as tx:
                await tx.run(store.DELIVERED, id=row.id)
            return
        reason = str(failure)
        if isinstance(failure, Permanent) or row.attempts > len(BACK_OFF):
            await self._bury(row, reason)
            return
        due_at = self._world.micros() + self._back_off(row.attempts)
        async with self._database.transaction() as tx:
            change = Change(tx, self._world, Origin(), self._reactions)
            delayed = await change.run(
                store.RETRY, at_id=row.id, at_attempts=row.attempts, new_due_at=due_at, new_error=reason
            )
            if delayed:
                await change.emit(_failed(MAIL_DELAYED, row, reason))
        log.warning(
            "outbox: %s %s not delivered at try %d: %s; again after %s",
            row.kind, row.id, row.attempts, reason, from_micros(due_at),
        )  # fmt: skip

    async def _bury(self, row: store.Claimed, reason: str) -> None:
        async with self._database.transaction() as tx:
            change = Change(tx, self._world, Origin(), self._reactions)
            buried = await change.run(
                store.BURY, at_id=row.id, at_attempts=row.attempts, new_due_at=change.micros, new_error=reason
            )
            if buried:
                await change.emit(_failed(MAIL_DEAD, row, reason))
        log.error("outbox: %s %s is dead after %d tries: %s", row.kind, row.id, row.attempts, reason)

    def _back_off(self, attempts: int) -> int:
        """Microseconds until the next try: a quarter more or less than planned, so that a crowd spreads out."""
        planned = span_micros(BACK_OFF[attempts - 1])
        drawn = int.from_bytes(self._world.bytes(2)) / 0xFFFF
        return int(planned * (0.75 + drawn / 2))

    # ── housekeeping ──

    async def _keep_house(self) -> None:
        due = {chore.name: self._world.micros() for chore in self._chores}
        while self._chores and not self._stopping.is_set():
            for chore in self._chores:
                if due[chore.name] <= self._world.micros() and not self._stopping.is_set():
                    await self._do(chore)
                    due[chore.name] = self._world.micros() + span_micros(chore.every)
            rest = timedelta(microseconds=max(0, min(due.values()) - self._world.micros()))
            await self._nap(self._stopping, min(rest, _LONGEST_NAP))

    async def _do(self, chore: Chore) -> None:
        try:
            for _ in range(_ROUNDS):
                if not await chore.run(self._database, self._world) or self._stopping.is_set():
                    return
                await self._nap(self._stopping, _BREATH)
        except Exception:
            log.exception("housekeeping: %s failed; it is tried again when it is next due", chore.name)

    async def _nap(self, event: asyncio.Event, duration: timedelta) -> None:
        """Sleep by the World's clock, but no longer than until the event."""
        tasks: list[asyncio.Task[object]] = [
            asyncio.create_task(event.wait()),
            asyncio.create_task(self._world.sleep(duration)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _failed(event_type: EventType, row: store.Claimed, reason: str) -> Event:
    return event_type(outbox_id=row.id, kind=row.kind, attempts=row.attempts, reason=reason)
