"""The door with a factor and a way in that it has never heard of: counting, codes sent along, what is written down."""

import asyncio
from pathlib import Path

from ostiary.engine.features import RIBS
from ostiary.testing import Kit, running
from tests.core.signin.stage import account_id, answer, journalled, login, session_rows
from tests.support.ribs import WordOfTheDay

ANNA = "anna@example.com"


async def enrolled(kit: Kit, day: WordOfTheDay) -> None:
    await kit.signed_up(ANNA)
    day.words[await account_id(kit, ANNA)] = "heron"


async def test_both_ways_in_and_what_they_leave(kit: Kit, day: WordOfTheDay) -> None:
    """`amr` and `acr` say what was shown: one way alone, either way with the word, the word sent along."""
    await kit.signed_up(ANNA)
    knock = {"email": ANNA, "knocks": 3}
    browser = kit.browser()
    assert (await browser.post("/auth/knock", json=knock)).json()["status"] == "complete"
    session = (await browser.get("/auth/session")).json()["session"]
    assert (session["amr"], session["acr"]) == (["user"], "1")
    plain = (await login(kit.browser(), ANNA)).json()["session"]
    assert (plain["amr"], plain["acr"]) == (["pwd"], "1")

    day.words[await account_id(kit, ANNA)] = "heron"
    browser = kit.browser()
    waits = (await browser.post("/auth/knock", json=knock)).json()
    both = (await answer(browser, waits["attempt"], "heron")).json()["session"]
    assert (both["amr"], both["acr"]) == (["user", "otp", "mfa"], "2")
    day.words[await account_id(kit, ANNA)] = "stork"
    along = (await login(kit.browser(), ANNA, code="stork")).json()
    assert along["status"] == "complete"
    assert (along["session"]["amr"], along["session"]["acr"]) == (["pwd", "otp", "mfa"], "2")


async def test_a_code_that_nobody_asked_for_is_ignored(kit: Kit) -> None:
    """Without an enrolled factor a code proves nothing and harms nothing."""
    await kit.signed_up(ANNA)
    answered = (await login(kit.browser(), ANNA, code="123456")).json()
    assert (answered["status"], answered["session"]["acr"]) == ("complete", "1")


async def test_wrong_words_lock_like_wrong_passwords(kit: Kit, day: WordOfTheDay) -> None:
    """Words, codes sent along, passwords and knocks share one counter; the right password does not clear it."""
    await enrolled(kit, day)
    pending = kit.browser()
    attempt = (await login(pending, ANNA)).json()["attempt"]
    for wrong in range(5):
        browser = kit.browser(f"192.0.2.{wrong}")
        waits = (await login(browser, ANNA)).json()
        assert waits["status"] == "factor_required"
        match wrong % 4:
            case 0:
                refused = await answer(browser, waits["attempt"], "stork")
            case 1:
                refused = await login(browser, ANNA, code="stork")
            case 2:
                refused = await login(browser, ANNA, "wrong")
            case _:
                refused = await browser.post("/auth/knock", json={"email": ANNA, "knocks": 2})
        assert (refused.status_code, refused.json()["code"]) == (401, "invalid_credentials")
    assert "account_locked" in await journalled(kit)
    for locked in (
        await login(kit.browser("198.51.100.1"), ANNA),
        await answer(pending, attempt, "heron"),
        await kit.browser("198.51.100.2").post("/auth/knock", json={"email": ANNA, "knocks": 3}),
    ):
        assert (locked.status_code, locked.json()["code"]) == (429, "too_many_attempts")
        assert int(locked.headers["retry-after"]) <= 60
    assert await session_rows(kit) == []


async def test_completing_clears_the_count(kit: Kit, day: WordOfTheDay) -> None:
    """After four wrong words the right one ends the count, so four more do not lock."""
    await enrolled(kit, day)
    for word in ("heron", "stork"):
        browser = kit.browser()
        day.words[await account_id(kit, ANNA)] = word
        attempt = (await login(browser, ANNA)).json()["attempt"]
        for _ in range(4):
            assert (await answer(browser, attempt, "wrong")).status_code == 401
        assert (await answer(browser, attempt, word)).status_code == 200
    assert "account_locked" not in await journalled(kit)


async def test_a_single_use_word_opens_one_of_many_attempts(kit: Kit, day: WordOfTheDay) -> None:
    """Several sign-ins wait, all say the word at once, one gets in: taking the proof is part of the change."""
    await enrolled(kit, day)
    browsers = [kit.browser(f"192.0.2.{n}") for n in range(4)]
    attempts = [(await login(browser, ANNA)).json()["attempt"] for browser in browsers]
    answers = await asyncio.gather(
        *(answer(browser, attempt, "heron") for browser, attempt in zip(browsers, attempts, strict=True))
    )
    assert sorted(answered.status_code for answered in answers) == [200, 401, 401, 401]
    assert len(await session_rows(kit)) == 1


async def test_two_factors_are_offered_and_one_is_enough(tmp_path: Path, database_url: str) -> None:
    """Both stand in the answer in their order, each opens, and a code sent along is tried against both."""
    word, sign = WordOfTheDay(), WordOfTheDay(name="sign")
    async with running(tmp_path, database=database_url, ribs=(*RIBS, word.rib, sign.rib)) as kit:
        await kit.signed_up(ANNA)
        anna = await account_id(kit, ANNA)
        word.words[anna], sign.words[anna] = "heron", "wink"
        browser = kit.browser()
        waits = (await login(browser, ANNA)).json()
        assert waits["factors"] == ["word", "sign"]
        assert (await answer(browser, waits["attempt"], "wink", "word")).status_code == 401
        assert (await answer(browser, waits["attempt"], "wink", "sign")).status_code == 200
        sign.words[anna] = "nod"
        assert (await login(kit.browser(), ANNA, code="nod")).json()["session"]["acr"] == "2"


async def test_journal_of_a_sign_in(kit: Kit, day: WordOfTheDay) -> None:
    """Asked, failed, begun and succeeded: each step is one row, in order."""
    await enrolled(kit, day)
    before = len(await journalled(kit))
    browser = kit.browser()
    attempt = (await login(browser, ANNA)).json()["attempt"]
    await answer(browser, attempt, "wrong")
    await answer(browser, attempt, "heron")
    assert (await journalled(kit))[before:] == [
        "sign_in_factor_asked",
        "sign_in_failed",
        "session_created",
        "sign_in_succeeded",
    ]
