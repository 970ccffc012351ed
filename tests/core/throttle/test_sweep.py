"""Housekeeping of counters beside the requests that use them."""

import asyncio
from contextvars import Context
from datetime import timedelta

from ostiary.core.throttle import store
from ostiary.testing import Kit


async def kept(kit: Kit) -> list[bytes]:
    """Keys that are still there, of those that the test made."""
    async with kit.engine.core.database.transaction() as tx:
        return [key for key in (b"spent", b"used") if (await tx.one(store.PEEK, key=key)) is not None]


async def test_a_sweep_leaves_what_is_counted_meanwhile(kit: Kit) -> None:
    """A counter that had expired and is used again while the sweep looks at it stays; one that nobody uses goes."""
    core = kit.engine.core
    now = core.world.micros()
    async with core.database.transaction() as tx:
        await store.lock(tx, [(b"spent", now), (b"used", now)])
    kit.clock.turn(timedelta(seconds=1))

    async def sweep() -> int:
        async with core.database.transaction() as tx:
            return await core.throttle.sweep(tx, 100)

    async with core.database.transaction() as tx:
        await store.lock(tx, [(b"used", now)])
        await store.save(tx, [(b"used", "[[1,1]]", core.world.micros() + 10**9)])
        # Another task's own context: a transaction is open in this one.
        sweeping = asyncio.create_task(sweep(), context=Context())
        await asyncio.sleep(0.2)  # until it waits for the row
    await sweeping
    assert await kept(kit) == [b"used"]
