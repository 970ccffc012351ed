"""L05: a single-use secret is redeemed once, however many ask at once, and not again after a restart."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from ostiary.core.once.once import Use
from ostiary.kernel.world import World
from ostiary.testing import Kit, TurnedClock, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import changed, login

CROWD = 50
USE = Use("test_crowd", timedelta(hours=1))
ANNA = "anna@example.com"


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine whose limit per address does not keep the crowd from the code."""
    async with running(tmp_path, database=database_url, verify_failures_per_address="1000/1d") as kit:
        yield kit


async def registered(kit: Kit) -> tuple[str, str]:
    """Token and code of a new account."""
    (
        await kit.browser().post("/auth/register", json={"email": ANNA, "password": PASSWORD})
    ).raise_for_status()
    return await kit.verification(ANNA)


async def crowd_posts(kit: Kit, body: dict[str, str]) -> list[int]:
    """Fifty browsers from fifty networks verify at once; how they were answered, sorted."""
    browsers = [kit.browser(f"192.0.2.{n}") for n in range(1, CROWD + 1)]
    answers = await asyncio.gather(*(browser.post("/auth/email/verify", json=body) for browser in browsers))
    return sorted(answered.status_code for answered in answers)


async def test_a_secret_is_taken_once_in_a_crowd(kit: Kit) -> None:
    """Of fifty takers one gets what it stood for."""
    once = kit.engine.core.once
    secret = await changed(kit, lambda change: once.issue(change, USE, "somebody", {"for": "one"}))
    taken = await asyncio.gather(
        *(changed(kit, lambda change: once.take(change, USE, secret)) for _ in range(CROWD))
    )
    assert [spent.data for spent in taken if spent is not None] == [{"for": "one"}]


async def test_a_code_is_looked_at_five_times_in_a_crowd(kit: Kit) -> None:
    """Fifty right guesses: five are looked at, one takes it; afterwards the right code is worth nothing."""
    core = kit.engine.core
    code = await changed(kit, lambda change: core.once.issue_code(change, USE, "somebody"))
    tried = await asyncio.gather(
        *(core.once.try_code(core.database, USE, "somebody", code) for _ in range(CROWD))
    )
    right = [one for one in tried if one is not None]
    assert len(right) == 5
    taken = await asyncio.gather(
        *(changed(kit, partial(core.once.take_code, use=USE, tried=one)) for one in right * 5)
    )
    assert sum(spent is not None for spent in taken) == 1
    assert await core.once.try_code(core.database, USE, "somebody", code) is None


async def test_a_name_is_claimed_once_in_a_crowd(kit: Kit) -> None:
    """Of fifty claims one is the first."""
    once, until = kit.engine.core.once, kit.clock.now() + timedelta(hours=1)
    claims = await asyncio.gather(
        *(changed(kit, lambda change: once.claim(change, USE, "name", until)) for _ in range(CROWD))
    )
    assert sum(claims) == 1


async def test_a_link_verifies_once_in_a_crowd(kit: Kit) -> None:
    """Fifty posts of the same link: one answer of 200."""
    token, _ = await registered(kit)
    assert await crowd_posts(kit, {"token": token}) == [200] + [400] * (CROWD - 1)


async def test_a_code_verifies_once_in_a_crowd(kit: Kit) -> None:
    """Fifty posts of the same right code: one answer of 200."""
    _, code = await registered(kit)
    assert await crowd_posts(kit, {"email": ANNA, "code": code}) == [200] + [400] * (CROWD - 1)


async def test_a_crowd_of_guesses_spends_the_code(kit: Kit) -> None:
    """Fifty wrong codes at once leave no try for the right one; the link, which cannot be guessed, still works."""
    token, code = await registered(kit)
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    assert await crowd_posts(kit, {"email": ANNA, "code": wrong}) == [400] * CROWD
    late = await kit.browser().post("/auth/email/verify", json={"email": ANNA, "code": code})
    assert (late.status_code, late.json()["code"]) == (400, "verification_invalid")
    assert (await kit.browser().post("/auth/email/verify", json={"token": token})).status_code == 200
    assert (await login(kit.browser(), ANNA)).status_code == 200


async def test_a_used_link_stays_used_after_a_restart(tmp_path: Path, database_url: str) -> None:
    """The truth is in the database, not in the process."""
    root, clock = World().token().reveal(), TurnedClock()
    async with running(tmp_path, database=database_url, root_secret=root, clock=clock) as kit:
        token, _ = await registered(kit)
        assert (await kit.browser().post("/auth/email/verify", json={"token": token})).status_code == 200
    async with running(tmp_path, database=database_url, root_secret=root, clock=clock) as kit:
        assert (await kit.browser().post("/auth/email/verify", json={"token": token})).status_code == 400
