"""Reads that run to their end though whoever asked has left."""

import asyncio
import gc
from typing import Any

import pytest

from ostiary.core.revocations.reads import Reads


@pytest.mark.parametrize("fails", [False, True])
async def test_who_leaves_ends_no_read(fails: bool) -> None:
    """The one who asked is gone at once, the read comes to its end, and what it found or raised bothers nobody."""
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    reads, begun, answered, ended = Reads(), asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def read() -> int:
        begun.set()
        try:
            await answered.wait()
            if fails:
                raise ConnectionError("nobody hears this")
            return 1
        finally:
            ended.set()

    asking = asyncio.create_task(reads.result(read()))
    await begun.wait()
    asking.cancel()
    await asyncio.wait({asking}, timeout=5)
    assert asking.cancelled()
    assert not ended.is_set()
    staying = asyncio.create_task(reads.result(read()))
    await asyncio.sleep(0)
    answered.set()
    if fails:
        with pytest.raises(ConnectionError):
            await staying
    else:
        assert await staying == 1
    await asyncio.sleep(0)
    assert ended.is_set()
    assert not reads._under_way
    del asking, staying
    gc.collect()
    assert complaints == []
