"""Owns what tests of keys share: a change on a kit, waiting until a process has noticed, several processes."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from ostiary.core.change import Change
from ostiary.kernel.origin import Origin
from ostiary.testing import Kit, running
from ostiary.testing.clock import TurnedClock

T = TypeVar("T")


async def changed(kit: Kit, work: Callable[[Change], Awaitable[T]]) -> T:
    """Run a change."""
    async with kit.engine.core.runner.flow(Origin()) as running_flow:
        return await running_flow.change(work)


async def seen(kit: Kit, expected: Callable[[], bool]) -> None:
    """Wait until a process has noticed something.

    Raises:
        AssertionError: it does not within ten seconds.
    """
    deadline = asyncio.get_running_loop().time() + 10
    while not expected():
        assert asyncio.get_running_loop().time() < deadline, "the change was not noticed"
        await asyncio.sleep(0.01)


async def processes(stack: AsyncExitStack, folder: Path, url: str, count: int, **given: Any) -> list[Kit]:
    """Several engines on one database."""
    clock, root = TurnedClock(), os.urandom(32).hex()
    return [
        await stack.enter_async_context(running(folder, database=url, clock=clock, root_secret=root, **given))
        for _ in range(count)
    ]
