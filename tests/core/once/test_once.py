"""Single-use secrets: expiry to the microsecond, the newest only, decoys, and nothing in clear."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from ostiary.core.once.once import CODE_TRIES, Use
from ostiary.kernel.secret import Secret
from ostiary.testing import Kit, running
from tests.core.signin.stage import MOMENT, StoppedClock, changed, dump

USE = Use("test_once", timedelta(minutes=10))


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine whose clock stands."""
    async with running(tmp_path, database=database_url, clock=StoppedClock()) as kit:
        yield kit


async def issued(kit: Kit, subject: str = "somebody", *, live: bool = True) -> Secret:
    return await changed(kit, lambda change: kit.engine.core.once.issue(change, USE, subject, live=live))


async def coded(kit: Kit, subject: str = "somebody", *, live: bool = True) -> Secret:
    return await changed(kit, lambda change: kit.engine.core.once.issue_code(change, USE, subject, live=live))


async def is_taken(kit: Kit, secret: Secret) -> bool:
    spent = await changed(kit, lambda change: kit.engine.core.once.take(change, USE, secret))
    return spent is not None


async def is_right(kit: Kit, code: Secret, subject: str = "somebody") -> bool:
    core = kit.engine.core
    return await core.once.try_code(core.database, USE, subject, code) is not None


async def test_expiry_is_exact(kit: Kit) -> None:
    """A moment before its end a secret works, at its end it does not; codes alike."""
    for turned, works in ((USE.lifetime - MOMENT, True), (USE.lifetime, False)):
        secret, code = await issued(kit), await coded(kit, "another")
        kit.clock.turn(turned)
        assert await is_taken(kit, secret) is works
        assert await is_right(kit, code, "another") is works


async def test_a_right_code_that_expires_before_it_is_taken_is_lost(kit: Kit) -> None:
    """Between the look and the change time may pass; taking asks again."""
    core, code = kit.engine.core, await coded(kit)
    kit.clock.turn(USE.lifetime - MOMENT)
    tried = await core.once.try_code(core.database, USE, "somebody", code)
    assert tried is not None
    kit.clock.turn(MOMENT)
    assert await changed(kit, lambda change: core.once.take_code(change, USE, tried)) is None


async def test_the_newest_only(kit: Kit) -> None:
    """A new secret makes the older ones of its subject worthless, and of nobody else."""
    old, other = await issued(kit), await issued(kit, "another")
    new = await issued(kit)
    assert [await is_taken(kit, one) for one in (old, new, other)] == [False, True, True]
    old_code = await coded(kit)
    while (new_code := await coded(kit)).matches(old_code):
        continue
    assert not await is_right(kit, old_code)
    assert await is_right(kit, new_code)


async def test_the_newest_only_when_issued_at_once(kit: Kit) -> None:
    """Of ten issued together one is good, so a double click does not leave two keys about."""
    secrets = await asyncio.gather(*(issued(kit) for _ in range(10)))
    assert sum([await is_taken(kit, one) for one in secrets]) == 1
    await asyncio.gather(*(coded(kit) for _ in range(10)))
    rows = [row for row in (await dump(kit))["once"] if "test_once" in row]
    assert len(rows) == 1


async def test_five_tries(kit: Kit) -> None:
    """Four wrong guesses leave one for the right code, five leave none."""
    for wrong, works in ((CODE_TRIES - 1, True), (CODE_TRIES, False)):
        code = await coded(kit)
        other = Secret(f"{(int(code.reveal()) + 1) % 1_000_000:06d}")
        assert not any([await is_right(kit, other) for _ in range(wrong)])
        assert await is_right(kit, code) is works


async def test_decoys_are_worth_nothing(kit: Kit) -> None:
    """What is issued for nobody looks the same in the table and is never taken for the subject that was named."""
    await issued(kit, "real")
    secret, code = await issued(kit, "decoy", live=False), await coded(kit, "decoy", live=False)
    assert not await is_right(kit, code, "decoy")
    spent = await changed(kit, lambda change: kit.engine.core.once.take(change, USE, secret))
    assert spent is None or spent.subject != "decoy"
    assert all("decoy" not in row for row in (await dump(kit))["once"])


async def test_nothing_is_kept_in_clear(kit: Kit) -> None:
    """Neither a secret nor a code stands in any table."""
    secret, code = await issued(kit), await coded(kit, "another")
    everything = repr(await dump(kit))
    assert secret.reveal() not in everything
    assert f"'{code.reveal()}'" not in everything


async def test_sweeping_is_bounded_and_spares_the_living(kit: Kit) -> None:
    """Expired secrets go a batch at a time; live ones stay."""
    once, database = kit.engine.core.once, kit.engine.core.database
    kit.engine.worker.stop()
    await asyncio.sleep(0.05)
    for number in range(5):
        await issued(kit, f"old {number}")
    kit.clock.turn(USE.lifetime + MOMENT)
    fresh = await issued(kit, "fresh")
    swept = []
    for _ in range(4):
        async with database.transaction() as tx:
            swept.append(await once.sweep(tx, 2))
    assert swept == [2, 2, 1, 0]
    assert await is_taken(kit, fresh)
