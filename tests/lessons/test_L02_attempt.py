"""L02: a half-done sign-in belongs to one account in one browser, proves each stage anew, and ends once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from ostiary.core.accounts.accounts import Status
from ostiary.core.signin.attempt import ATTEMPTS
from ostiary.engine.features import RIBS
from ostiary.testing import Browser, Kit, running
from tests.core.signin.stage import (
    MOMENT,
    RACING,
    StoppedClock,
    account_id,
    answer,
    journalled,
    login,
    session_rows,
    set_status,
)
from tests.support.ribs import WordOfTheDay

ANNA, BERT = "anna@example.com", "bert@example.com"
CROWD = 50


@asynccontextmanager
async def two_enrolled(folder: Path, database: str, day: WordOfTheDay, **settings: Any) -> AsyncIterator[Kit]:
    async with running(
        folder, database=database, ribs=(*RIBS, day.rib), clock=StoppedClock(), **settings
    ) as kit:
        for address, word in ((ANNA, "heron"), (BERT, "stork")):
            await kit.signed_up(address)
            day.words[await account_id(kit, address)] = word
        yield kit


@pytest.fixture
def day() -> WordOfTheDay:
    """A second factor whose words may be said again, so that only the attempt itself can be spent."""
    return WordOfTheDay(is_single_use=False)


@pytest.fixture
async def kit(database_url: str, tmp_path: Path, day: WordOfTheDay) -> AsyncIterator[Kit]:
    """Two accounts with a second factor, and a clock that stands."""
    async with two_enrolled(tmp_path, database_url, day) as kit:
        yield kit


async def begun(browser: Browser, address: str) -> str:
    """A sign-in that waits for the word."""
    attempt: str = (await login(browser, address)).json()["attempt"]
    return attempt


async def test_another_browser_cannot_finish(kit: Kit) -> None:
    """Neither without the pre-session cookie nor with one of its own."""
    attempt = await begun(kit.browser(), ANNA)
    bare, other = kit.browser(), kit.browser()
    await begun(other, BERT)
    for browser in (bare, other):
        refused = await answer(browser, attempt, "heron")
        assert (refused.status_code, refused.json()["code"]) == (401, "attempt_invalid")
    assert await session_rows(kit) == []


async def test_another_account_cannot_finish(kit: Kit) -> None:
    """What was begun as Anna takes Anna's word only, and the failure counts."""
    browser = kit.browser()
    attempt = await begun(browser, ANNA)
    refused = await answer(browser, attempt, "stork")
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_credentials")
    assert await session_rows(kit) == []


async def test_switching_accounts_aborts(kit: Kit) -> None:
    """Beginning as somebody else ends what the same browser had begun, and a planted cookie is not taken over."""
    browser = kit.browser()
    planted = "a" * 43
    browser.cookies.set(kit.engine.app.edge.cookies.pre, planted, domain="auth.example.test", path="/")
    annas = await begun(browser, ANNA)
    assert browser.cookies[kit.engine.app.edge.cookies.pre] != planted
    berts = await begun(browser, BERT)
    assert (await answer(browser, annas, "heron")).json()["code"] == "attempt_invalid"
    finished = await answer(browser, berts, "stork")
    assert finished.json()["user"]["email"] == BERT


async def test_an_empty_answer_fails(tmp_path: Path, database_url: str) -> None:
    """Nothing said is a failure that counts, even with a factor that accepts anything."""
    careless = WordOfTheDay(is_single_use=False, is_careless=True)
    async with two_enrolled(tmp_path, database_url, careless) as kit:
        browser = kit.browser()
        attempt = await begun(browser, ANNA)
        for expected in (*[401] * 5, 429):
            assert (await answer(browser, attempt, "")).status_code == expected
        assert await session_rows(kit) == []


async def test_a_factor_that_is_not_enrolled_fails(kit: Kit) -> None:
    """An unknown factor's name is a failure like a wrong answer."""
    browser = kit.browser()
    attempt = await begun(browser, ANNA)
    for name in ("password", "none", "Word"):
        assert (await answer(browser, attempt, "heron", name)).json()["code"] == "invalid_credentials"
    assert await session_rows(kit) == []


async def test_account_changes_end_the_attempt(kit: Kit) -> None:
    """A raised security epoch ends it, alone or with the account."""
    for address, word, status in ((ANNA, "heron", Status.ACTIVE), (BERT, "stork", Status.DISABLED)):
        browser = kit.browser()
        attempt = await begun(browser, address)
        await set_status(kit, await account_id(kit, address), status)
        refused = await answer(browser, attempt, word)
        assert (refused.status_code, refused.json()["code"]) == (401, "invalid_credentials")
    assert await session_rows(kit) == []


async def test_it_expires_to_the_microsecond(kit: Kit) -> None:
    """Ten minutes less a moment are soon enough, ten minutes are not."""
    late, soon = kit.browser(), kit.browser()
    lates, soons = await begun(late, ANNA), await begun(soon, ANNA)
    kit.clock.turn(timedelta(minutes=10) - MOMENT)
    assert (await answer(soon, soons, "heron")).status_code == 200
    kit.clock.turn(MOMENT)
    assert (await answer(late, lates, "heron")).json()["code"] == "attempt_invalid"


async def test_one_of_another_release_is_over(kit: Kit) -> None:
    """While servers are replaced one by one, a document with more or fewer members is no attempt, and no error."""
    ring, browser = kit.engine.core.ring, kit.browser()
    document = orjson.loads(ring.open_sealed(ATTEMPTS, await begun(browser, ANNA)) or b"")
    for other in (document[:-1], [*document, "more"]):
        refused = await answer(browser, ring.seal(ATTEMPTS, orjson.dumps(other)), "heron")
        assert (refused.status_code, refused.json()["code"]) == (401, "attempt_invalid")
    whole = await answer(browser, ring.seal(ATTEMPTS, orjson.dumps(document)), "heron")
    assert whole.status_code == 200, "nothing but the members was wrong"


async def test_it_completes_once(kit: Kit) -> None:
    """The same attempt again, in the same browser with its cookie put back, is refused."""
    browser = kit.browser()
    attempt = await begun(browser, ANNA)
    pre = browser.cookies[kit.engine.app.edge.cookies.pre]
    assert (await answer(browser, attempt, "heron")).status_code == 200
    again = kit.browser(cookies={kit.engine.app.edge.cookies.pre: pre})
    assert (await answer(again, attempt, "heron")).json()["code"] == "attempt_invalid"
    assert len(await session_rows(kit)) == 1


async def test_it_completes_once_in_a_crowd(tmp_path: Path, database_url: str, day: WordOfTheDay) -> None:
    """Fifty right answers at once make one session."""
    async with two_enrolled(tmp_path, database_url, day, **RACING) as kit:
        browser = kit.browser()
        attempt = await begun(browser, ANNA)
        name = kit.engine.app.edge.cookies.pre
        crowd = [
            kit.browser(f"192.0.2.{n}", cookies={name: browser.cookies[name]}) for n in range(1, CROWD + 1)
        ]
        answers = await asyncio.gather(*(answer(one, attempt, "heron") for one in crowd))
        codes = [answered.json().get("code", "complete") for answered in answers]
        assert sorted(codes) == ["attempt_invalid"] * (CROWD - 1) + ["complete"]
        assert len(await session_rows(kit)) == 1
        assert (await journalled(kit)).count("session_created") == 1
