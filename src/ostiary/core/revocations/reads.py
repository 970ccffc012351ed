"""Owns reads that run to their end though whoever asked has left.

A statement that is cancelled under way costs PostgreSQL's pool its connection. Anybody may ask for the feed and leave
at once, so here leaving ends the wait for a read, and never the read.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Reads:
    """Those under way."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[Any]] = set()  # the loop itself holds tasks only weakly

    async def result(self, reading: Coroutine[Any, Any, T]) -> T:
        """What a read finds; a caller that is cancelled goes at once, and what is found then is dropped.

        Raises:
            Exception: what the read raises.
        """
        task = asyncio.create_task(reading, name="ostiary feed read")
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        await asyncio.wait({task})  # unlike awaiting the task, this does not cancel it
        return task.result()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # asking for it says that nobody has to be told
