"""Taking one hit out of a window in one statement gives what the arithmetic gives, whatever the window holds."""

import asyncio
import itertools
from contextvars import Context

import orjson
import pytest

from ostiary.core.throttle import rules, store
from ostiary.core.throttle.limits import Held, Hit, Lockout, Window
from ostiary.core.throttle.rules import Hits
from ostiary.kernel.errors import Misuse
from ostiary.kernel.origin import Origin
from ostiary.kernel.settings import Rate
from ostiary.testing import Kit
from tests.support.statements import statements_of

KEY = b"window"
LATER = 4 * 10**15
# Moments of which one is the end or the beginning of another, alone and sharing a slot.
SLOTS = ((2, 1), (12, 1), (21, 1), (12, 3), (120, 1), (212, 2))
STATES = [
    tuple(sorted(chosen))
    for count in range(4)
    for chosen in itertools.permutations(SLOTS, count)
    if len({at for at, _ in chosen}) == count and list(chosen) == sorted(chosen)
]


async def stored(kit: Kit, key: bytes) -> Hits:
    """What the window holds now."""
    row = await kit.engine.core.database.one(store.PEEK, key=key)
    return tuple((at, count) for at, count in orjson.loads(row.state)) if row and row.state else ()


@pytest.mark.parametrize("is_alone", [True, False])
async def test_as_the_arithmetic_says(kit: Kit, is_alone: bool) -> None:
    """For every state and stamp, whether or not the guess about the row's other hits is right."""
    core = kit.engine.core
    for state in STATES:
        for stamp in (2, 12, 21, 120, 212, 1, 20):
            async with core.database.transaction() as tx:
                text = orjson.dumps(state).decode() if state else ""
                await store.lock(tx, [(KEY, LATER)])
                await store.save(tx, [(KEY, text, LATER)])
                await core.throttle.give_back(tx, KEY, stamp, is_alone=is_alone)
            assert await stored(kit, KEY) == rules.refund_window(state, stamp), (state, stamp)


async def reserved(kit: Kit, *hits: Hit) -> Held:
    """Reserve as a flow does."""
    return await kit.engine.core.throttle.reserve(kit.engine.core.database, Origin(), hits)


async def settled(kit: Kit, held: Held) -> list[str]:
    """Settle after a success; the names of the statements."""
    database = kit.engine.core.database
    with statements_of(database) as heard:
        async with database.transaction() as tx:
            await kit.engine.core.throttle.settle(tx, held, complete=True)
    return [name for name in heard if name not in ("begin", "commit")]


async def test_the_ordinary_ways_are_short(kit: Kit) -> None:
    """Two statements count both limits; one each gives them back, alone or among others; then nothing is left."""
    network = Hit(Window("test", Rate.parse("20/15m"), failures_only=True), "192.0.2.1")
    with statements_of(kit.engine.core.database) as heard:
        first = await reserved(kit, network, Hit(Lockout(), "account:a"))
    assert heard == ["begin", "throttle.lock_2", "throttle.save_2", "commit"]
    second = await reserved(kit, network, Hit(Lockout(), "account:b"))
    # The first did not know of the second, so its first guess is wrong; the second is alone again by then.
    assert await settled(kit, first) == ["throttle.clear", "throttle.clear_if", "throttle.take_out"]
    assert await settled(kit, second) == ["throttle.clear", "throttle.take_out", "throttle.clear_if"]
    third = await reserved(kit, network, Hit(Lockout(), "account:a"))
    assert await settled(kit, third) == ["throttle.clear", "throttle.clear_if"]
    for held in (first, second, third):
        assert [await stored(kit, item.key) for item in held.hits] == [(), ()]


async def test_many_at_once_leave_nothing(kit: Kit) -> None:
    """Reserved and given back by many tasks that meet on one window: no hit is lost, none stays."""
    core = kit.engine.core
    network = Hit(Window("crowd", Rate.parse("60/15m"), failures_only=True), "192.0.2.1")

    async def come_and_go(number: int) -> None:
        for _ in range(5):
            held = await reserved(kit, network, Hit(Lockout(), f"account:{number}"))
            await asyncio.sleep(0)
            async with core.database.transaction() as tx:
                await core.throttle.settle(tx, held, complete=True)

    stays = await reserved(kit, network)
    tasks = [asyncio.create_task(come_and_go(number), context=Context()) for number in range(12)]
    await asyncio.gather(*tasks)
    (hit,) = stays.hits
    assert await stored(kit, hit.key) == ((hit.stamp, 1),)


async def test_the_same_hit_twice_is_misuse(kit: Kit) -> None:
    """One statement cannot lock one row twice, and nobody means that."""
    with pytest.raises(Misuse, match="different hits"):
        await reserved(kit, Hit(Lockout(), "account:a"), Hit(Lockout(), "account:a"))
