"""L02: with the factors that ship, a sign-in that waits belongs to one account, and ends with what changes it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from ostiary.core.accounts.accounts import Status
from ostiary.testing import Kit, running
from tests.core.signin.stage import StoppedClock, account_id, changed, session_rows, set_status
from tests.features.totp.stage import App, answer, begun, confirm, login, waits
from tests.support.secrets import nothing_leaks

ANNA, BERT = "anna@example.com", "bert@example.com"


@dataclass
class Person:
    """What somebody has at hand to answer with."""

    app: App
    codes: list[str]

    def answers(self) -> list[tuple[str, str]]:
        """A right answer for each factor."""
        return [("totp", self.app.code()), ("backup_code", self.codes[0])]


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine whose clock stands."""
    async with running(tmp_path, database=database_url, clock=StoppedClock()) as kit:
        with nothing_leaks(kit):
            yield kit


@pytest.fixture
async def people(kit: Kit) -> dict[str, Person]:
    """Two accounts with an app and backup codes each."""
    found = {}
    for address in (ANNA, BERT):
        browser = await kit.signed_in(address)
        app = await begun(kit, browser)
        found[address] = Person(app, (await confirm(browser, app)).json()["backup_codes"])
    kit.clock.turn(timedelta(minutes=2))
    return found


async def test_anothers_factor_finishes_nothing(kit: Kit, people: dict[str, Person]) -> None:
    """Bert's code and Bert's backup code are wrong for what was begun as Anna, and are not spent by it."""
    before = len(await session_rows(kit))
    browser = kit.browser()
    attempt = await waits(browser, ANNA)
    for factor, code in people[BERT].answers():
        refused = await answer(browser, attempt, code, factor)
        assert (refused.status_code, refused.json()["code"]) == (401, "invalid_credentials")
    assert len(await session_rows(kit)) == before
    berts = kit.browser()
    assert (await login(berts, BERT, code=people[BERT].codes[0])).json()["user"]["email"] == BERT


async def test_an_abandoned_attempt_is_over(kit: Kit, people: dict[str, Person]) -> None:
    """Beginning as Bert in the same browser ends what was begun as Anna, whoever's right answers are given."""
    browser = kit.browser()
    annas = await waits(browser, ANNA)
    berts = await waits(browser, BERT)
    for address in (ANNA, BERT):
        for factor, code in people[address].answers():
            assert (await answer(browser, annas, code, factor)).json()["code"] == "attempt_invalid"
    done = await answer(browser, berts, people[BERT].app.code())
    assert done.json()["user"]["email"] == BERT


@pytest.mark.parametrize("status", [Status.DISABLED, Status.ACTIVE], ids=["disabled", "epoch raised"])
async def test_a_change_of_the_account_ends_it(kit: Kit, people: dict[str, Person], status: Status) -> None:
    """Disabled, or with a raised epoch as after a reset: no right answer finishes it, and none is spent."""
    before = len(await session_rows(kit))
    browser = kit.browser()
    attempt = await waits(browser, ANNA)
    await set_status(kit, await account_id(kit, ANNA), status)
    for factor, code in people[ANNA].answers():
        refused = await answer(browser, attempt, code, factor)
        assert (refused.status_code, refused.json()["code"]) == (401, "invalid_credentials")
    assert len(await session_rows(kit)) == before
    await set_status(kit, await account_id(kit, ANNA), Status.ACTIVE)
    assert (await login(kit.browser(), ANNA, code=people[ANNA].codes[0])).status_code == 200


async def test_a_removed_factor_answers_nothing(kit: Kit, people: dict[str, Person]) -> None:
    """A reset by an operator while a sign-in waits: what was enrolled before finishes nothing."""
    browser = kit.browser()
    attempt = await waits(browser, ANNA)
    core, anna = kit.engine.core, await account_id(kit, ANNA)
    await changed(kit, lambda change: core.factors.reset(change, anna))
    for factor, code in people[ANNA].answers():
        assert (await answer(browser, attempt, code, factor)).status_code == 401


async def test_an_empty_answer_is_none(kit: Kit, people: dict[str, Person]) -> None:
    """Nothing, spaces and dashes are failures of either factor."""
    browser = kit.browser()
    attempt = await waits(browser, ANNA)
    for factor, code in (("totp", ""), ("backup_code", ""), ("totp", " - "), ("backup_code", "-- --")):
        assert (await answer(browser, attempt, code, factor)).json()["code"] == "invalid_credentials"
