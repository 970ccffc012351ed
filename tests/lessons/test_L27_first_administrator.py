"""The first administrator: by a link that is used once, never by default (L27)."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path

from ostiary.core.access import access
from ostiary.core.access.decide import Grant
from ostiary.features.claim import flow
from ostiary.testing import Browser, Kit, running


async def _token(kit: Kit) -> str:
    link = await flow.issue(kit.engine.core)
    found = re.fullmatch(re.escape(kit.base_url) + r"/claim\?token=([\w-]{43})", link)
    assert found is not None, link
    return found[1]


async def _claim(browser: Browser, token: str) -> tuple[int, str]:
    answer = await browser.post("/auth/claim", json={"token": token})
    return answer.status_code, answer.json().get("code", answer.json().get("status"))


async def _account_id(browser: Browser) -> str:
    found: str = (await browser.get("/auth/session")).json()["user"]["id"]
    return found


async def test_nobody_is_administrator_until_the_link_is_used(kit: Kit) -> None:
    """There is no default account; the claiming account becomes administrator, once, and the start falls silent."""
    core = kit.engine.core
    assert not await flow.is_claimed(core)
    assert any("/claim?token=" in line for line in await flow.greeting(core))
    anna = await kit.signed_in("anna@example.com")
    token = await _token(kit)
    assert await _claim(anna, token) == (200, "claimed")
    assert await access.grants_of(core.database, await _account_id(anna)) == (Grant("superadmin"),)
    assert await flow.greeting(core) == []
    assert await _claim(anna, token) == (400, "claim_invalid")


async def test_claiming_needs_a_session_and_the_newest_link(kit: Kit) -> None:
    """Without a session it is 401; an older link, an expired one and nonsense are refused and grant nothing."""
    token = await _token(kit)
    assert (await _claim(kit.browser(), token))[0] == 401
    anna = await kit.signed_in("anna@example.com")
    newer = await _token(kit)
    assert await _claim(anna, token) == (400, "claim_invalid")
    assert await _claim(anna, "nonsense") == (400, "claim_invalid")
    kit.clock.turn(timedelta(minutes=30, seconds=1))
    anna = await kit.sign_in("anna@example.com")
    assert await _claim(anna, newer) == (400, "claim_invalid")
    assert not await flow.is_claimed(kit.engine.core)


async def test_of_many_claims_one_wins(kit: Kit) -> None:
    """Eight accounts that use the same link at once leave one administrator (the first-run race, L27)."""
    browsers = [await kit.signed_in(f"person{number}@example.com") for number in range(8)]
    token = await _token(kit)
    answers = await asyncio.gather(*(_claim(browser, token) for browser in browsers))
    assert sorted(status for status, _ in answers) == [200] + [400] * 7
    held = [await access.grants_of(kit.engine.core.database, await _account_id(b)) for b in browsers]
    assert sum(grants == (Grant("superadmin"),) for grants in held) == 1


async def test_guesses_are_limited(tmp_path: Path) -> None:
    """Ten wrong links from a network, and no more are looked at."""
    async with running(tmp_path) as kit:
        anna = await kit.signed_in("anna@example.com")
        answers = [(await _claim(anna, "x" * 43))[0] for _ in range(11)]
        assert answers == [400] * 10 + [429]
