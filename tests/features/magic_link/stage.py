"""Owns short ways to ask for a link and to use it."""

import asyncio
import re
from typing import Any

import httpx2

from ostiary.testing import Browser, Kit

ANNA = "anna@example.com"


async def asked(kit: Kit, browser: Browser, email: str = ANNA, **more: Any) -> None:
    """Ask for a link; it must look the same whoever asks."""
    answer = await browser.post("/auth/magic-link", json={"email": email, **more})
    assert (answer.status_code, answer.json()) == (202, {"status": "link_sent"})


def links(kit: Kit, email: str = ANNA) -> list[str]:
    """The secrets of every link that was mailed to an address."""
    found = [
        re.search(r"/login/link\?token=([\w-]+)", mail["text"])
        for mail in kit.mailbox.messages()
        if mail["to"] == email
    ]
    return [match[1] for match in found if match]


async def link(kit: Kit, browser: Browser, email: str = ANNA, **more: Any) -> str:
    """Ask for a link and read the mail."""
    before = len(links(kit, email))
    await asked(kit, browser, email, **more)
    for _ in range(1000):
        if len(found := links(kit, email)) > before:
            return found[-1]
        await asyncio.sleep(0.01)
    raise AssertionError(f"no link came to {email}")


async def redeem(browser: Browser, **given: str) -> httpx2.Response:
    """Use a link's token or its code."""
    return await browser.post("/auth/magic-link/redeem", json=given)


async def code_shown(kit: Kit, token: str) -> str:
    """The code that the link shows in a browser that did not ask for it."""
    page = await kit.browser().get(f"/login/link?token={token}")
    assert page.status_code == 200
    found = re.search(r"<strong>(\d{3})&#8239;(\d{3})</strong>", page.text)
    assert found is not None
    return found[1] + found[2]
