"""Owns what tests of tokens share: signing in for tokens, exchanging them, and asking who one is."""

import base64
from typing import Any

import httpx2
import orjson

from ostiary.testing import Browser, Kit
from ostiary.testing.kit import PASSWORD

ANNA = "anna@example.com"


async def login(browser: Browser, address: str = ANNA, **given: Any) -> httpx2.Response:
    """Sign in, for tokens unless told otherwise."""
    body = {"identifier": address, "password": PASSWORD, "delivery": "tokens", **given}
    return await browser.post("/auth/login", json=body)


async def pair_of(kit: Kit, address: str = ANNA) -> dict[str, Any]:
    """A pair of tokens for an account that exists."""
    answer = await login(kit.browser(), address)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def refresh(kit: Kit, token: str, browser: Browser | None = None) -> httpx2.Response:
    """Exchange a refresh token."""
    return await (browser or kit.browser()).post("/auth/refresh", json={"refresh_token": token})


async def who(kit: Kit, access: str, browser: Browser | None = None) -> httpx2.Response:
    """Ask who one is, with an access token."""
    headers = {"authorization": f"Bearer {access}"}
    return await (browser or kit.browser()).get("/auth/session", headers=headers)


def claims_of(token: str) -> dict[str, Any]:
    """What a token says, unverified."""
    claims: dict[str, Any] = part(token, 1)
    return claims


def part(token: str, number: int) -> dict[str, Any]:
    """The header (0) or the claims (1) of a token."""
    words = token.split(".")[number]
    found: dict[str, Any] = orjson.loads(base64.urlsafe_b64decode(words + "=" * (-len(words) % 4)))
    return found


def code_of(answer: httpx2.Response) -> str:
    """The error code of an answer; "" for a success."""
    return "" if answer.is_success else str(answer.json()["code"])
