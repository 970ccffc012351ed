"""Owns the look for news about keys: every process notices within a second what another one changed."""

import logging
from datetime import timedelta
from typing import Final, Protocol

from ostiary.core.keys import store
from ostiary.kernel.world import World
from ostiary.storage.database import Database

LOOK_EVERY: Final = timedelta(milliseconds=500)
_log: Final = logging.getLogger("ostiary.keys")


class Followed(Protocol):
    """Keys in memory that follow those in the database."""

    async def refresh(self, database: Database) -> None:
        """Take over what was changed."""
        ...

    def settle(self) -> None:
        """Let those take over whose time has come."""
        ...


class KeyWatch:
    """Reads one number now and then, and the keys only when it has changed.

    Args:
        world: The clock.
        database: Where the keys are.
        followed: What is kept up to date, in this order: the first seals the others.
    """

    def __init__(self, world: World, database: Database, *followed: Followed) -> None:
        self._world = world
        self._database = database
        self._followed = followed
        self._version = -1
        self._is_failing = False

    async def run(self) -> None:
        """Look until cancelled. A database that does not answer changes nothing: the keys at hand stay good."""
        due = self._world.monotonic() + LOOK_EVERY.total_seconds()
        while True:
            await self._world.sleep(LOOK_EVERY)
            if self._world.monotonic() < due:
                continue
            due = self._world.monotonic() + LOOK_EVERY.total_seconds()
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001  # whatever it is, the next look may succeed
                if not self._is_failing:
                    _log.warning("keys: cannot look for changes, going on with those at hand: %s", error)
                self._is_failing = True
            else:
                self._is_failing = False

    async def look(self) -> None:
        """Look once.

        Raises:
            Unavailable: the database does not answer.
        """
        state = await self._database.one(store.STATE)
        if state is not None and state.version != self._version:
            for one in self._followed:
                await one.refresh(self._database)
            self._version = state.version
        for one in self._followed:
            one.settle()
