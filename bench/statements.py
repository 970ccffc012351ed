"""Owns the count of what each flow asks of the database: transactions, and statements inside and outside of them."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD

_BOUNDS: Final = frozenset({"begin", "commit", "rollback"})
_ADDRESS: Final = "anna@example.com"


@dataclass(slots=True)
class Count:
    """What one flow did."""

    flow: str
    transactions: int = 0
    statements: list[str] = field(default_factory=list)


class _Counter:
    """Counts what the task of the request asks for; the worker's own statements are nobody's."""

    def __init__(self, kit: Kit) -> None:
        self.counts: list[Count] = []
        self._task: asyncio.Task[Any] | None = None
        kit.engine.core.database.observe = self._told

    def _told(self, name: str) -> None:
        if self._task is None or asyncio.current_task() is not self._task:
            return
        count = self.counts[-1]
        if name == "begin":
            count.transactions += 1
        elif name not in _BOUNDS:
            count.statements.append(name)

    async def count(self, flow: str, request: Awaitable[Any]) -> Any:
        self.counts.append(Count(flow))
        self._task = asyncio.current_task()
        answer = await request
        self._task = None
        answer.raise_for_status()
        return answer


async def _count(folder: Path) -> list[Count]:
    async with running(folder) as kit:
        counter = _Counter(kit)
        browser = kit.browser()
        await counter.count(
            "register", browser.post("/auth/register", json={"email": _ADDRESS, "password": PASSWORD})
        )
        token, _ = await kit.verification(_ADDRESS)
        await counter.count("verify the address", browser.post("/auth/email/verify", json={"token": token}))
        body = {"identifier": _ADDRESS, "password": PASSWORD}
        await counter.count("sign in", browser.post("/auth/login", json=body))
        await counter.count("session check", browser.get("/auth/session"))
        await counter.count("sign out", browser.post("/auth/logout"))
        pair = (await kit.browser().post("/auth/login", json=body | {"delivery": "tokens"})).json()
        presented = {"refresh_token": pair["refresh_token"]}
        await counter.count("refresh", kit.browser().post("/auth/refresh", json=presented))
    return counter.counts


def count_statements(folder: Path) -> list[Count]:
    """Walk through the flows once, in this process."""
    return asyncio.run(_count(folder))
