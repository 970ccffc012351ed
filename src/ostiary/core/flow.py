"""Owns the one shape of every flow: reserve – read – hash or call out – judge – change and record.

A refusal changes nothing but counters and journal: the runner writes those after everything else was rolled back.
Wrong nesting (two changes, a reservation after the change, hashing in a transaction) raises `Misuse`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self, TypeVar

from ostiary.core.change import Change, Reactions
from ostiary.core.throttle.limits import Held, Hit
from ostiary.core.throttle.throttle import Throttle
from ostiary.kernel.errors import Misuse, Refused, Unavailable
from ostiary.kernel.events import Event
from ostiary.kernel.origin import Origin
from ostiary.kernel.world import World
from ostiary.storage.database import Conflict, Contended, Database

T = TypeVar("T")

_TRIES: Final = 4


@dataclass(frozen=True, slots=True)
class Runner:
    """What every flow runs on."""

    world: World
    database: Database
    throttle: Throttle
    reactions: Reactions

    def flow(self, origin: Origin) -> "Flow":
        """A new flow, to be used as an ``async with`` block."""
        return Flow(self, origin)


class Flow:
    """One run through the shape. Reads go to `reads`; everything else has a method here."""

    def __init__(self, runner: Runner, origin: Origin) -> None:
        self._runner = runner
        self.origin = origin
        self.reads: Database = runner.database
        self.account_id: str | None = None
        self._held = Held()
        self._noted: list[Event] = []
        self._changed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Refused):
            await self._record(error)
            return
        # Not the caller's fault (a busy pool, a slow database): the try does not count.
        undo = error is not None and not self._changed and bool(self._held.hits)
        if undo or self._noted:
            await self._alone(self._noted, undo=undo)

    def concerns(self, account_id: str | None) -> None:
        """Say whom a failure would concern, for the journal."""
        self.account_id = account_id

    def note(self, event: Event) -> None:
        """Have something journalled that happened on the way, however the flow ends.

        It goes into the change, before what the change itself emits; into a transaction of its own if there is none.
        """
        self._noted.append(event)

    def refuse_full(self, *hits: Hit) -> None:
        """Refuse at once what this process knows to be exhausted, before anything is read.

        Raises:
            Refused: a window is full.
        """
        self._runner.throttle.refuse_full(self.origin, hits)

    async def reserve(self, *hits: Hit) -> None:
        """Count this try before anything is judged; waits out the delay that earlier failures earned.

        Raises:
            Refused: a limit is reached.
        """
        if self._changed or self._held.hits:
            raise Misuse("a flow reserves once, before its change")
        runner = self._runner
        self._held = await runner.throttle.reserve(runner.database, self.origin, hits)
        if self._held.delay:
            await runner.world.sleep(self._held.delay)

    @property
    def held(self) -> Held:
        """What was reserved."""
        return self._held

    async def change(self, work: Callable[[Change], Awaitable[T]]) -> T:
        """Run the one write transaction.

        `work` runs again from the start when another request was first (a uniqueness rule, a deadlock), so it reads
        what it depends on inside, and does nothing but read and write through the `Change` it is given.
        """
        if self._changed:
            raise Misuse("a flow changes once; put both writes into the same change")
        runner = self._runner
        for attempt in range(_TRIES):
            try:
                async with runner.database.transaction() as tx:
                    change = Change(tx, runner.world, self.origin, runner.reactions)
                    for event in self._noted:
                        await change.emit(event)
                    result = await work(change)
                    # Counters last: others wait for a network's row, so it is held as briefly as can be.
                    await change.write_journal()
                    await runner.throttle.settle(tx, self._held, complete=not change.is_partial)
                self._changed = True
                self._noted = []
                return result
            except (Conflict, Contended) as clash:
                if attempt == _TRIES - 1:
                    raise Unavailable(f"the change kept clashing with others: {clash}") from clash
        raise AssertionError("unreachable")

    async def _record(self, refused: Refused) -> None:
        events: list[Event] = [*self._noted, *refused.events]
        undo = False
        if self._held.hits and refused.counted:
            events += self._runner.throttle.failure_events(self._held, self.account_id)
        else:
            undo = bool(self._held.hits) and not self._changed
        if events or undo:
            await self._alone(events, undo=undo)

    async def _alone(self, events: list[Event], *, undo: bool) -> None:
        runner = self._runner
        async with runner.database.transaction() as tx:
            change = Change(tx, runner.world, self.origin, runner.reactions)
            for event in events:
                await change.emit(event)
            if undo:
                await runner.throttle.undo(tx, self._held)
