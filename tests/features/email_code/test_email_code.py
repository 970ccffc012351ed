"""A code by mail as the second step: switched on with a code, bound to one sign-in, never after the same mailbox."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ostiary.core.accounts import accounts
from ostiary.testing import Browser, Kit, running
from tests.core.signin.stage import RACING, account_id, changed, session_rows
from tests.features.magic_link.stage import link, redeem
from tests.features.totp.stage import ANNA, answer, login, waits


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine that allows codes by mail, with a throttle that stops no race."""
    async with running(tmp_path, database=database_url, email_code=True, **RACING) as kit:
        yield kit


def codes(kit: Kit, email: str = ANNA) -> list[str]:
    """Every code that was mailed as a second step, oldest first."""
    found = [
        re.search(r"^\s*(\d{6})\s*$", mail["text"], re.MULTILINE)
        for mail in kit.mailbox.messages()
        if mail["to"] == email and mail["subject"].startswith("Your code")
    ]
    return [match[1] for match in found if match]


async def code(kit: Kit, count: int, email: str = ANNA) -> str:
    """The latest, once there are so many."""
    for _ in range(1000):
        if len(found := codes(kit, email)) >= count:
            return found[-1]
        await asyncio.sleep(0.01)
    raise AssertionError(f"{len(codes(kit, email))} of {count} codes came")


def another(than: str) -> str:
    """A wrong code."""
    return "000000" if than != "000000" else "000001"


async def enrolled(kit: Kit) -> Browser:
    """Anna with codes by mail switched on, and the browser that did it."""
    browser = await kit.signed_in(ANNA)
    assert (await browser.post("/auth/mfa/email-code")).status_code == 202
    confirmed = await browser.post("/auth/mfa/email-code/confirm", json={"code": await code(kit, 1)})
    assert confirmed.status_code == 200
    return browser


async def asked(browser: Browser, attempt: str) -> None:
    """Ask for the mail."""
    sent = await browser.post("/auth/login/challenge", json={"attempt": attempt, "factor": "email_code"})
    assert (sent.status_code, sent.json()) == (202, {"status": "challenged", "challenge": {}})


async def test_switched_on_and_used(kit: Kit) -> None:
    """After the code confirmed it, the password alone gets nobody in; the code from the mail does, once."""
    await enrolled(kit)
    browser = kit.browser()
    before = len(await session_rows(kit))
    attempt = await waits(browser)
    assert len(codes(kit)) == 1, "nothing is mailed until it is asked for"
    await asked(browser, attempt)
    right = await code(kit, 2)
    assert (await answer(browser, attempt, another(right), "email_code")).status_code == 401
    assert len(await session_rows(kit)) == before
    done = await answer(browser, attempt, f"{right[:3]}-{right[3:]}", "email_code")
    assert done.json()["session"]["amr"] == ["pwd", "otp", "mfa"]
    other = kit.browser()
    assert (await answer(other, await waits(other), right, "email_code")).status_code == 401


async def test_a_strangers_language_reaches_no_owner(kit: Kit) -> None:
    """The mail is in the language of the account, whoever asks for it."""
    await enrolled(kit)
    german = kit.browser(headers={"accept-language": "de"})
    await asked(german, await waits(german))
    await code(kit, 2)
    assert (await kit.mail_to(ANNA))["language"] == "en"


async def test_a_code_belongs_to_one_sign_in(kit: Kit) -> None:
    """The code that one sign-in asked for is worth nothing in another one, nor for switching anything on."""
    signed_in = await enrolled(kit)
    first, second = kit.browser(), kit.browser()
    mine, other = await waits(first), await waits(second)
    await asked(first, mine)
    right = await code(kit, 2)
    assert (await answer(second, other, right, "email_code")).status_code == 401
    assert (await signed_in.delete("/auth/mfa/email-code")).status_code == 204
    again = await signed_in.post("/auth/mfa/email-code/confirm", json={"code": right})
    assert (again.status_code, again.json()["code"]) == (422, "email_code_wrong")


async def test_the_newest_code_and_five_tries(kit: Kit) -> None:
    """Asking again ends the older code; after five wrong tries the right one is worth nothing either."""
    await enrolled(kit)
    browser = kit.browser()
    attempt = await waits(browser)
    await asked(browser, attempt)
    old = await code(kit, 2)
    await asked(browser, attempt)
    new = await code(kit, 3)
    if old != new:
        assert (await answer(browser, attempt, old, "email_code")).status_code == 401
    for _ in range(5):
        assert (await answer(browser, attempt, another(new), "email_code")).status_code == 401
    assert (await answer(browser, attempt, new, "email_code")).status_code == 401


async def test_of_fifty_answers_one_wins(kit: Kit) -> None:
    """However many requests bring the right code at once, one session comes of it (L05)."""
    await enrolled(kit)
    browser = kit.browser()
    attempt = await waits(browser)
    await asked(browser, attempt)
    right, before = await code(kit, 2), len(await session_rows(kit))
    cookies = dict(browser.cookies)
    racing = [kit.browser(cookies=cookies) for _ in range(50)]
    answers = await asyncio.gather(*[answer(one, attempt, right, "email_code") for one in racing])
    assert [one.status_code for one in answers].count(200) == 1
    assert len(await session_rows(kit)) == before + 1


async def test_never_after_a_proof_by_the_same_mailbox(kit: Kit) -> None:
    """After a magic link a code by mail is neither offered nor mailed: nobody gets in by one mailbox alone."""
    await enrolled(kit)
    browser = kit.browser()
    before = len(await session_rows(kit))
    outcome = (await redeem(browser, token=await link(kit, browser))).json()
    assert outcome.get("status") != "complete"
    assert "email_code" not in outcome.get("factors", [])
    if "attempt" in outcome:  # backup codes are another factor; the mail is not
        wanted = {"attempt": outcome["attempt"], "factor": "email_code"}
        refused = await browser.post("/auth/login/challenge", json=wanted)
        assert (refused.status_code, refused.json()["code"]) == (400, "nothing_to_ask")
    assert len(codes(kit)) == 1
    assert len(await session_rows(kit)) == before


async def test_what_has_no_challenge_says_so(kit: Kit) -> None:
    """Unknown factors and foreign attempts get nothing mailed."""
    await enrolled(kit)
    browser = kit.browser()
    attempt = await waits(browser)
    for factor in ("totp", "nonsense", "backup_code"):
        refused = await browser.post("/auth/login/challenge", json={"attempt": attempt, "factor": factor})
        assert (refused.status_code, refused.json()["code"]) == (400, "nothing_to_ask"), factor
    stranger = kit.browser()
    refused = await stranger.post("/auth/login/challenge", json={"attempt": attempt, "factor": "email_code"})
    assert refused.json()["code"] == "attempt_invalid"
    assert len(codes(kit)) == 1


async def test_ten_mails_an_hour(kit: Kit) -> None:
    """Who knows the password cannot fill the mailbox: the eleventh code of an hour is refused."""
    await enrolled(kit)
    browser = kit.browser()
    attempt = await waits(browser)
    for _ in range(10):
        await asked(browser, attempt)
    refused = await browser.post("/auth/login/challenge", json={"attempt": attempt, "factor": "email_code"})
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_attempts")


async def test_a_reset_ends_the_sign_in_that_waits(kit: Kit) -> None:
    """Once the account's epoch is raised, the code that was mailed before is worth nothing."""
    await enrolled(kit)
    browser = kit.browser()
    attempt = await waits(browser)
    await asked(browser, attempt)
    right, anna = await code(kit, 2), await account_id(kit, ANNA)
    await changed(kit, lambda change: accounts.void_credentials(change, anna))
    assert (await answer(browser, attempt, right, "email_code")).status_code == 401
    refused = await browser.post("/auth/login/challenge", json={"attempt": attempt, "factor": "email_code"})
    assert refused.status_code in (400, 401)


async def test_voided_credentials_take_the_factor_along(kit: Kit) -> None:
    """What somebody set up before the mailbox was proven counts for nothing, factors included (L10)."""
    browser = await enrolled(kit)
    anna = await account_id(kit, ANNA)
    await changed(kit, lambda change: accounts.void_credentials(change, anna))
    assert (await browser.get("/auth/session")).status_code == 401
    fresh = kit.browser()
    done = await redeem(fresh, token=await link(kit, fresh))
    assert done.json()["status"] == "complete"


async def test_off_unless_allowed(database_url: str, tmp_path: Path) -> None:
    """As installed nobody can switch it on; where it is forbidden later, signing in no longer takes it."""
    async with running(tmp_path, database=database_url) as kit:
        browser = await kit.signed_in(ANNA)
        assert (await browser.post("/auth/mfa/email-code")).status_code == 404
        tried = await browser.post("/auth/mfa/email-code/confirm", json={"code": "123456"})
        assert tried.status_code == 404
        assert (await login(kit.browser())).json()["status"] == "complete"
