"""Owns what tests of the outbox and of mail stand on: a database of either kind, a keyring, workers on a leash."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ostiary.core.change import Change, Reactions, Subscriber
from ostiary.core.journal import store as journal_store
from ostiary.core.keys.ring import Keyring
from ostiary.core.keys.root import RootSeal
from ostiary.core.outbox import store
from ostiary.core.outbox.outbox import EVENTS, OUTBOX, Deliver, Letter, Outbox
from ostiary.core.outbox.settings import OutboxSettings
from ostiary.core.outbox.worker import Chore, Worker
from ostiary.kernel.events import EventType
from ostiary.kernel.origin import Origin
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from ostiary.storage.connect import database_for
from ostiary.storage.database import Database
from ostiary.storage.schema import metadata
from ostiary.storage.statement import Query
from ostiary.testing.clock import TurnedClock

# Seconds after which something hangs; never how fast it must be: a busy machine takes its time.
PATIENCE = 60.0


def create_tables(url: str) -> None:
    """Create every table that is known by now."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    metadata.create_all(engine)
    engine.dispose()


def sqlite_url(folder: Path) -> str:
    """Return the URL of a new SQLite file."""
    return f"sqlite:///{folder / 'test.db'}"


@dataclass
class Place:
    """One deployment: a database, a keyring, an outbox and a clock to turn."""

    url: str
    clock: TurnedClock
    world: World
    database: Database
    ring: Keyring
    outbox: Outbox
    origin: Origin = field(default_factory=lambda: Origin("203.0.113.7", "Mozilla/5.0", "r1"))

    async def another_process(self) -> "Place":
        """Return a second process on the same database: own connections, own keyring, own outbox."""
        database = database_for(self.url, pool_size=4, prepared_statements=True)
        await database.open()
        outbox = Outbox(self.world, self.ring, self.outbox.settings)
        return Place(self.url, self.clock, self.world, database, self.ring, outbox, self.origin)

    @asynccontextmanager
    async def change(
        self, *subscribers: Subscriber, types: tuple[EventType, ...] = ()
    ) -> AsyncIterator[Change]:
        """Open a write transaction on somebody's behalf."""
        async with self.database.transaction() as tx:
            yield Change(tx, self.world, self.origin, Reactions((*EVENTS, *types), subscribers))

    async def put(self, payload: Mapping[str, Any], kind: str = "mail", *, live: bool = True) -> str:
        """Put one letter into the outbox."""
        async with self.change() as change:
            return await self.outbox.put(change, kind, payload, live=live)

    async def rows(self) -> "list[Row]":
        """Return what the outbox's table holds, all columns, oldest first."""
        return await self.database.all(ROWS)

    async def journal(self) -> list[journal_store.Entry]:
        """Return the latest journal rows."""
        return await self.database.all(journal_store.LATEST, limit=100)

    def worker(self, deliver: Deliver, *chores: Chore, kind: str = "mail") -> Worker:
        """Return a worker that delivers one kind."""
        return Worker(self.world, self.database, self.outbox, {kind: deliver}, chores)

    async def empty(self) -> None:
        """Wait until nothing is left in the outbox."""
        await until_async(self._is_empty)

    async def _is_empty(self) -> bool:
        return not await self.rows()


@dataclass(frozen=True)
class Row:
    """A row of the outbox as it is stored."""

    id: str
    kind: str
    sealed: str
    created_at: int
    due_at: int
    lease_until: int | None
    attempts: int
    state: str
    last_error: str


ROWS = Query("test.outbox_rows", sa.select(store.outbox).order_by(store.outbox.c.id), Row, scan=True)


@asynccontextmanager
async def place_at(url: str, clock: TurnedClock | None = None, **settings: Any) -> AsyncIterator[Place]:
    """Open a deployment on a database whose tables are there."""
    clock = clock or TurnedClock()
    world = World(clock)
    database = database_for(url, pool_size=8, prepared_statements=True)
    await database.open()
    try:
        ring = Keyring(world, RootSeal(Secret(os.urandom(32))))
        await ring.open(database, (OUTBOX,))
        yield Place(url, clock, world, database, ring, Outbox(world, ring, OutboxSettings(**settings)))
    finally:
        await database.close()


@asynccontextmanager
async def running(*workers: Worker) -> AsyncIterator[None]:
    """Let workers run during the block, then stop them gracefully."""
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        yield
    finally:
        for worker in workers:
            worker.stop()
        await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE)


async def until(is_so: Callable[[], object]) -> None:
    """Wait until something is so, or fail."""
    async with asyncio.timeout(PATIENCE):
        while not is_so():  # noqa: ASYNC110  # the thing asked knows nothing of events
            await asyncio.sleep(0.005)


async def until_async(is_so: Callable[[], Any]) -> None:
    """Wait until an asynchronous question is answered with yes, or fail."""
    async with asyncio.timeout(PATIENCE):
        while not await is_so():  # noqa: ASYNC110  # the database knows nothing of events
            await asyncio.sleep(0.005)


class Recorder:
    """Delivers by remembering; fails as often as told."""

    def __init__(self, *failures: Exception) -> None:
        """Raise the given failures first, one per try."""
        self.letters: list[Letter] = []
        self.tries = 0
        self._failures = list(failures)

    async def __call__(self, letter: Letter) -> None:
        """Deliver."""
        self.tries += 1
        if self._failures:
            raise self._failures.pop(0)
        self.letters.append(letter)


def far() -> timedelta:
    """Return a time longer than any back-off."""
    return timedelta(hours=16)


async def dead(database: Database) -> list[store.Kept]:
    """Return the dead mails, the newest first."""
    return await database.all(store.LATEST_DEAD, kind="mail", limit=100)
