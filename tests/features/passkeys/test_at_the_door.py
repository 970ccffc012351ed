"""Where a second factor is required, a passkey can be made while signing in: for that sign-in alone, and once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ostiary.testing import Browser, Kit, running
from ostiary.testing.authenticator import NOTHING, Amiss, SoftwareAuthenticator
from ostiary.testing.passkeys import sign_in
from tests.core.signin.stage import dump, journalled, login, session_rows
from tests.security.stage import drained

ANNA, BERT = "anna@example.com", "bert@example.com"
# What a refusal may change; sessions are counted, since one that is used notes it.
MOVING = ("outbox", "throttle", "journal", "once", "session")


@pytest.fixture
async def strict(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine that lets nobody in without a second step, and locks nobody out; an account that has none."""
    given: dict[str, Any] = {"require_factor": "everybody", "factor_grace": "0s", "lock_after": 100}
    async with running(tmp_path, database=database_url, delay_after=1000, **given) as kit:
        await kit.signed_up(ANNA)
        yield kit


async def begun(browser: Browser, address: str = ANNA) -> tuple[str, dict[str, Any]]:
    """A sign-in that waits for a passkey to be made, and the options for it."""
    lacks = (await login(browser, address)).json()
    assert (lacks["status"], lacks["factors"]) == ("enrolment_required", ["passkey", "totp"])
    asked = {"attempt": lacks["attempt"], "factor": "passkey"}
    told = (await browser.post("/auth/login/enrol", json=asked)).json()
    assert told.keys() == {"attempt", "factor", "options"}
    return told["attempt"], told["options"]


async def answer(browser: Browser, attempt: str, response: dict[str, Any]) -> httpx2.Response:
    """Answer with what an authenticator has made."""
    given = {"attempt": attempt, "factor": "passkey", "response": response}
    return await browser.post("/auth/login/factor", json=given)


async def test_a_passkey_is_made_at_the_door(strict: Kit) -> None:
    """In at once with both steps shown; codes shown once, the owner told; it opens alone and as second step later."""
    browser, phone = strict.browser(), SoftwareAuthenticator()
    attempt, options = await begun(browser)
    assert options["user"]["name"] == ANNA
    assert options["authenticatorSelection"]["userVerification"] == "preferred"
    assert (await dump(strict))["passkey"] == []
    done = await answer(browser, attempt, phone.create(options, strict.base_url))
    assert done.json()["status"] == "complete", done.text
    assert (done.json()["session"]["amr"], done.json()["session"]["acr"]) == (["pwd", "hwk", "mfa"], "2")
    assert len(done.json()["backup_codes"]) == 10
    assert (await strict.mail_to(ANNA, count=2))["subject"].startswith("A second step was added")
    assert (await journalled(strict)).count("factor_added") == 1
    again = await sign_in(strict, strict.browser(), phone)
    assert (again.status_code, "backup_codes" in again.json()) == (200, False)
    assert (await login(strict.browser(), ANNA)).json()["factors"] == ["passkey", "backup_code"]

    # A key without a PIN adds to a password, and is nothing alone.
    await strict.signed_up(BERT)
    browser, key = strict.browser(), SoftwareAuthenticator(verifies=False)
    attempt, options = await begun(browser, BERT)
    assert (await answer(browser, attempt, key.create(options, strict.base_url))).status_code == 200
    assert (await sign_in(strict, strict.browser(), key)).status_code == 401


async def test_it_is_good_for_one_sign_in_once(strict: Kit) -> None:
    """Another sign-in, account, origin or browser, somebody's credential, too late, twice: refused, nothing stored."""
    await strict.signed_up(BERT)
    anna, bert, thief = strict.browser(), strict.browser(), strict.browser()
    theirs = SoftwareAuthenticator()
    attempt, options = await begun(bert, BERT)
    (await answer(bert, attempt, theirs.create(options, strict.base_url))).raise_for_status()
    mine, asked = await begun(anna)
    other, others = await begun(strict.browser())
    await drained(strict)
    before = await dump(strict, without=MOVING)

    async def refused(
        browser: Browser, attempt: str, options: dict[str, Any], amiss: Amiss = NOTHING, code: str = ""
    ) -> None:
        made = SoftwareAuthenticator().create(options, strict.base_url, amiss=amiss)
        answered = await answer(browser, attempt, made)
        found = (answered.status_code, answered.json()["code"])
        assert found == (401, code or "invalid_credentials"), answered.text
        assert await dump(strict, without=MOVING) == before
        assert len(await session_rows(strict)) == 1

    await refused(anna, mine, others)
    await refused(anna, mine, asked, Amiss(says={"origin": "https://evil.example"}))
    await refused(anna, mine, asked, Amiss(rp_id="evil.example"))
    await refused(anna, mine, asked, Amiss(says={"type": "webauthn.get"}))
    await refused(anna, mine, asked, Amiss(says={"crossOrigin": True}))
    await refused(anna, mine, asked, Amiss(credential_id=theirs.credentials[0].id))
    await refused(thief, mine, asked, code="attempt_invalid")
    assert (await answer(anna, mine, {})).json()["code"] == "invalid_credentials"
    # Options for adding one in a session are no options for the door.
    session = await bert.post("/auth/passkeys/register/options")
    await refused(anna, mine, session.json()["options"])
    strict.clock.turn(timedelta(minutes=5, seconds=1))
    await refused(anna, mine, asked)

    phone = SoftwareAuthenticator()
    mine, asked = await begun(anna)
    made = phone.create(asked, strict.base_url)
    cookies = dict(anna.cookies)
    racers = [strict.browser(cookies=cookies) for _ in range(8)]
    answered = await asyncio.gather(*(answer(one, mine, made) for one in racers))
    assert [one.status_code for one in answered].count(200) == 1
    assert {one.status_code for one in answered} <= {200, 401, 409, 503}
    assert len((await dump(strict))["passkey"]) == 2
    assert len(await session_rows(strict)) == 2
    # Who has one by now adds none at the door.
    late = await answer(strict.browser(), other, made)
    assert late.json()["code"] == "attempt_invalid"
    assert (await answer(strict.browser(cookies=cookies), mine, made)).status_code in (401, 409)
