"""Strangers lock an account out for themselves, and not for the browser that its owner has signed in with before."""

import asyncio
from collections import Counter
from pathlib import Path

from playwright.async_api import Browser

from ostiary.testing.kit import PASSWORD
from tests.browser.person import account, sitting
from tests.support.server import serving

TRIES = 1000
AT_ONCE = 8


async def test_a_thousand_wrong_tries_do_not_lock_the_owner_out(browser: Browser, tmp_path: Path) -> None:
    """From the very same address: the stranger's browser has to wait with the right password, the owner's gets in."""
    email = "anna@example.com"
    async with serving(tmp_path, "--dev", "--data", str(tmp_path / "data"), delay_limit="1s") as server:
        await account(server, email)
        async with sitting(browser, server.url) as owner, sitting(browser, server.url) as stranger:
            await owner.sign_in(email)
            await owner.open("/logout")
            await owner.press("Sign out")

            statuses: Counter[int] = Counter()
            async with server.client() as client:

                async def guess(first: int) -> None:
                    for number in range(first, TRIES, AT_ONCE):
                        body = {"identifier": email, "password": f"wrong guess {number}"}
                        statuses[(await client.post("/auth/login", json=body)).status_code] += 1

                await asyncio.gather(*(guess(first) for first in range(AT_ONCE)))
            assert statuses == {401: 5, 429: TRIES - 5}

            await stranger.sign_in(email, PASSWORD)
            assert await stranger.heading() == "Too many tries"
            assert "Try again in" in await stranger.text()
            await owner.sign_in(email, "a slip of the finger")
            assert "The e-mail address or the password is wrong." in await owner.text()
            await owner.sign_in(email, PASSWORD)
            assert owner.path == "/account"
