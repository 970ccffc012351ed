"""Owns the short ways to act on addresses that these tests share."""

from typing import Any

import httpx2

from ostiary.testing import Kit
from ostiary.testing.kit import Browser

ANNA, NEW, THIRD, BERT = "anna@example.com", "anna@new.example", "anna@third.example", "bert@example.com"


async def add(browser: Browser, email: str) -> str:
    """Wish for an address, and return its id."""
    answer = await browser.post("/auth/emails", json={"email": email})
    assert answer.status_code == 202, answer.text
    email_id: str = answer.json()["id"]
    return email_id


async def prove(browser: Browser, token: str) -> httpx2.Response:
    """Follow the link's token."""
    return await browser.post("/auth/emails/verify", json={"token": token})


async def added(kit: Kit, browser: Browser, email: str) -> str:
    """Add an address and prove it."""
    email_id = await add(browser, email)
    token, _ = await kit.verification(email)
    assert (await prove(browser, token)).status_code == 200
    return email_id


async def listed(browser: Browser) -> list[dict[str, Any]]:
    """The account's addresses."""
    found: list[dict[str, Any]] = (await browser.get("/auth/emails")).json()["emails"]
    return found


async def short(browser: Browser) -> list[tuple[str, bool, bool]]:
    """Address, whether it is the primary one, whether it is proven."""
    return [(one["email"], one["primary"], one["verified"]) for one in await listed(browser)]


def subjects(kit: Kit, to: str) -> list[str]:
    """What came to an address."""
    return [mail["subject"] for mail in kit.mailbox.messages() if mail["to"] == to]
