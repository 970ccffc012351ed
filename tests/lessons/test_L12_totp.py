"""L12: a one-time code is accepted once, its digits are ASCII, and enrolment is throttled.

Elsewhere a code worked again within its half minute, codes could be guessed while an app was being added, and foreign
digits passed for ASCII ones. That enrolment is throttled is tested with it, in features/totp.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ostiary.kernel.world import World
from ostiary.testing import Browser, Kit, running
from tests.core.signin.stage import RACING, StoppedClock, journalled, session_rows
from tests.features.totp.stage import ANNA, STEP, App, answer, enrolled, login, waits
from tests.support.secrets import nothing_leaks

CROWD = 50
FOREIGN = {  # the first digit of each script
    "Arabic-Indic": 0x0660,
    "Devanagari": 0x0966,
    "full width": 0xFF10,
    "mathematical": 0x1D7CE,
}


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine whose clock stands and whose throttle lets a race begin."""
    racing: dict[str, Any] = {**RACING}
    async with running(tmp_path, database=database_url, clock=StoppedClock(), **racing) as kit:
        with nothing_leaks(kit):
            yield kit


@pytest.fixture
async def app(kit: Kit) -> App:
    """Anna's app, a minute after it was added."""
    made = await enrolled(kit, await kit.signed_in(ANNA))
    kit.clock.turn(2 * STEP)
    return made


async def by_factor(browser: Browser, code: str) -> int:
    """Sign in in two steps."""
    return (await answer(browser, await waits(browser), code)).status_code


async def by_login(browser: Browser, code: str) -> int:
    """Sign in with the code sent along."""
    return (await login(browser, code=code)).status_code


async def test_a_code_works_once(kit: Kit, app: App) -> None:
    """By either way of giving it, in any mixture, and as long as its step is near."""
    for first, second in (
        (by_factor, by_factor),
        (by_factor, by_login),
        (by_login, by_factor),
        (by_login, by_login),
    ):
        code = app.fresh_code()
        assert await first(kit.browser(), code) == 200
        assert await second(kit.browser(), code) == 401
        kit.clock.turn(STEP)
        assert await second(kit.browser(), code) == 401


async def test_the_code_that_confirmed_is_spent(kit: Kit) -> None:
    """What was typed while the app was added signs nobody in."""
    made = await enrolled(kit, await kit.signed_in(ANNA))
    assert await by_login(kit.browser(), made.code()) == 401
    assert await by_login(kit.browser(), made.code(1)) == 200


async def test_an_earlier_code_is_spent_as_well(kit: Kit, app: App) -> None:
    """Once a later step was accepted, the ones before it are worth nothing, although they are near."""
    assert await by_login(kit.browser(), app.code(1)) == 200
    for steps in (0, -1, 1):
        assert await by_login(kit.browser(), app.code(steps)) == 401


@pytest.mark.parametrize(("steps", "status"), [(-2, 401), (-1, 200), (0, 200), (1, 200), (2, 401)])
async def test_one_step_of_drift(kit: Kit, app: App, steps: int, status: int) -> None:
    """One step before and after the present one, by the server's clock, and no more."""
    assert await by_login(kit.browser(), app.code(steps)) == status


@pytest.mark.parametrize("digit", FOREIGN.values(), ids=FOREIGN.keys())
async def test_foreign_digits_are_no_digits(kit: Kit, app: App, digit: int) -> None:
    """The right code in another script's digits is a wrong code, and counts as one; in ASCII it still works."""
    foreign = app.code().translate({ord("0") + n: digit + n for n in range(10)})
    assert await by_login(kit.browser(), foreign) == 401
    assert await by_factor(kit.browser(), foreign) == 401
    assert (await journalled(kit)).count("sign_in_failed") == 2
    assert await by_login(kit.browser(), app.code()) == 200


async def test_every_malformed_code_counts_alike(kit: Kit, app: App) -> None:
    """Five digits, seven, letters, a wrong code: one answer, one count; spaces and dashes in the right one are fine."""
    code = app.code()
    for wrong in (code[:5], code + "0", "abcdef", app.wrong(), "-", " "):
        refused = await login(kit.browser(), code=wrong)
        assert (refused.status_code, refused.json()["code"]) == (401, "invalid_credentials")
    assert (await journalled(kit)).count("sign_in_failed") == 6
    assert await by_login(kit.browser(), f"{code[:3]} {code[3:]}-") == 200


async def test_it_works_once_in_a_crowd(kit: Kit, app: App) -> None:
    """Fifty sign-ins that wait all give the same code at once: one gets in."""
    browsers = [kit.browser(f"192.0.2.{n}") for n in range(1, CROWD + 1)]
    attempts = [await waits(browser) for browser in browsers]
    before, code = len(await session_rows(kit)), app.code()
    answers = await asyncio.gather(
        *(answer(browser, attempt, code) for browser, attempt in zip(browsers, attempts, strict=True))
    )
    assert sorted(one.status_code for one in answers) == [200] + [401] * (CROWD - 1)
    assert len(await session_rows(kit)) == before + 1


async def test_it_works_once_in_several_processes(database_url: str, tmp_path: Path) -> None:
    """Two engines on one database share nothing but it: a code that one has taken the other refuses, also at once."""
    root, clock = World().token().reveal(), StoppedClock()
    given: dict[str, Any] = {"database": database_url, "root_secret": root, "clock": clock, **RACING}
    async with running(tmp_path, **given) as one:
        # Before there is another worker, which could deliver the mail into its own mailbox.
        app = await enrolled(one, await one.signed_in(ANNA))
        async with running(tmp_path, **given) as two:
            code = app.fresh_code()
            assert await by_login(one.browser(), code) == 200
            assert await by_login(two.browser(), code) == 401
            code = app.fresh_code()
            codes = await asyncio.gather(*(by_login(kit.browser(), code) for kit in (one, two) * 4))
            assert sorted(codes) == [200] + [401] * 7
            clock.turn(timedelta(minutes=1))
