"""Owns what tests of the door stand on: a clock that stands still, looks into every table, short ways to act."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import httpx2
import sqlalchemy as sa

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import Status
from ostiary.core.change import Change
from ostiary.core.journal.store import journal
from ostiary.core.sessions.store import session
from ostiary.kernel.origin import Origin
from ostiary.kernel.world import World
from ostiary.storage.schema import metadata
from ostiary.storage.statement import Query
from ostiary.testing import Browser, Kit, TurnedClock
from ostiary.testing.kit import PASSWORD

T = TypeVar("T")
Rows = list[tuple[Any, ...]]

MOMENT = timedelta(microseconds=1)
# Enough tries that the throttle does not stop a race before it begins.
RACING: dict[str, Any] = {"lock_after": 100, "known_browser_limit": 100, "delay_after": 1000}
_TABLES = {
    table.name: Query(f"test.table.{table.name}", sa.select(table), lambda *columns: columns, scan=True)
    for table in metadata.sorted_tables
}
_JOURNAL = Query(
    "test.journal", sa.select(journal.c.type).order_by(journal.c.at, journal.c.id), str, scan=True
)
_SESSIONS = Query(
    "test.sessions",
    sa.select(session.c.id, session.c.last_seen_at, session.c.ended_at, session.c.ended_why).order_by(
        session.c.created_at, session.c.id
    ),
    lambda *columns: columns,
    scan=True,
)


class StoppedClock(TurnedClock):
    """Time passes only when a test turns it, to the microsecond."""

    def __init__(self) -> None:
        super().__init__()
        self._at = World().now()

    def turn(self, by: timedelta) -> None:
        """Let so much time pass."""
        self._at += by

    def now(self) -> datetime:
        """The moment that was turned to."""
        return self._at


async def dump(kit: Kit, *, without: tuple[str, ...] = ()) -> dict[str, Rows]:
    """Every row of every table."""
    return {
        name: sorted(await kit.engine.core.database.all(query), key=repr)
        for name, query in _TABLES.items()
        if name not in without
    }


async def journalled(kit: Kit) -> list[str]:
    """The types of all events, in order."""
    return await kit.engine.core.database.all(_JOURNAL)


async def session_rows(kit: Kit) -> Rows:
    """Id, last seen, end and its reason, of every session, oldest first."""
    return await kit.engine.core.database.all(_SESSIONS)


async def changed(kit: Kit, work: Callable[[Change], Awaitable[T]]) -> T:
    """Run one change on nobody's behalf."""
    async with kit.engine.core.runner.flow(Origin()) as flow:
        return await flow.change(work)


async def set_status(kit: Kit, account_id: str, status: Status) -> None:
    """Disable or enable, as an administrator would; setting it active only raises the epoch."""
    await changed(kit, lambda change: accounts.set_status(change, account_id, status, "test"))


async def account_id(kit: Kit, address: str) -> str:
    """Who has this address."""
    found = await accounts.find(kit.engine.core.database, address)
    assert found is not None
    return found.account_id


async def login(browser: Browser, address: str, password: str = PASSWORD, **more: Any) -> httpx2.Response:
    """One try with a password."""
    return await browser.post("/auth/login", json={"identifier": address, "password": password, **more})


async def answer(browser: Browser, attempt: str, code: str, factor: str = "word") -> httpx2.Response:
    """One answer to a factor."""
    return await browser.post("/auth/login/factor", json={"attempt": attempt, "factor": factor, "code": code})
