"""Owns the places of followers that wait for news: a waiting one costs neither a thread nor a statement.

While anybody waits, one task of the process counts the latest rows twice a second and wakes everybody when there are
more; what this process itself writes wakes them at once. The number of places is bounded, and so is each network's
share, so that nobody can take them all.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Final

from ostiary.core.revocations import store
from ostiary.core.revocations.reads import Reads
from ostiary.kernel.world import World, first_id
from ostiary.storage.database import Database

LOOK_EVERY: Final = timedelta(milliseconds=500)
_LOOK_BACK: Final = timedelta(seconds=60)  # more than a commit can be late; and nothing so young is swept
_MOVE_ON: Final = timedelta(seconds=20)
_NAP: Final = timedelta(milliseconds=100)
_SHARE: Final = 4
_log: Final = logging.getLogger("ostiary.feed")


class Place:
    """Where one follower waits."""

    def __init__(self, waiting: "Waiting") -> None:
        self._waiting = waiting

    def mark(self) -> int:
        """What to wait from; take it before looking, so that nothing slips in between."""
        return self._waiting.wakes

    async def news(self, since: int, patience: float) -> None:
        """Wait until somebody has something to tell since the mark, but no longer than so many seconds."""
        if self._waiting.wakes == since:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._waiting.bell.wait()


class Waiting:
    """All places of a process.

    Args:
        world: The clock.
        database: Where news come from.
        most: How many may wait.
    """

    def __init__(self, world: World, database: Database, most: int) -> None:
        self._world = world
        self._database = database
        self._most = most
        self._reads = Reads()
        self._taken: Counter[str] = Counter()
        self._looking: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self.bell = asyncio.Event()
        self.wakes = 0
        self.is_closed = False

    @property
    def taken(self) -> int:
        """How many wait."""
        return self._taken.total()

    def wake(self) -> None:
        """Let everybody look: there may be news."""
        self.wakes += 1
        self.bell.set()
        self.bell = asyncio.Event()

    def close(self) -> None:
        """Let everybody go, and nobody wait any more: the process ends."""
        self.is_closed = True
        self.wake()

    def open(self) -> None:
        """Let followers wait, once the engine runs."""
        self.is_closed = False

    @asynccontextmanager
    async def place(self, network: str) -> AsyncIterator[Place | None]:
        """A place to wait; None when all, or all of this network, are taken."""
        if self.is_closed or self.taken >= self._most or self._taken[network] >= max(1, self._most // _SHARE):
            yield None
            return
        self._taken[network] += 1
        try:
            if self._looking is None:
                self._ready = asyncio.Event()
                self._looking = asyncio.create_task(self._look(), name="ostiary feed")
            await self._ready.wait()
            yield Place(self)
        finally:
            self._taken[network] -= 1
            self._taken += Counter()  # drops what is at nought
            if not self._taken and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def _look(self) -> None:
        base, counted = "", -1
        moved_at = due = self._world.monotonic()
        while True:
            try:
                later = base
                if not base or self._world.monotonic() - moved_at >= _MOVE_ON.total_seconds():
                    later, moved_at = first_id(self._world.now() - _LOOK_BACK), self._world.monotonic()
                # Both counts of one statement, so that nothing is missed when the base moves on.
                count = await self._reads.result(
                    self._database.one(store.COUNT, after=base or later, later=later)
                )
                if count is not None:
                    if base and count.all > counted:
                        self.wake()
                    base, counted = later, count.later
                self._ready.set()
            except Exception as error:  # noqa: BLE001  # whatever it is, the next look may succeed
                _log.warning("feed: cannot look for news: %s", error)
                self._ready.set()
            due += LOOK_EVERY.total_seconds()
            while (rest := due - self._world.monotonic()) > 0:
                await self._world.sleep(min(timedelta(seconds=rest), _NAP))
