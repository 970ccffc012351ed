"""L03: whoever was disabled got in by some grant. Here every way to get or use one, with an account that may not."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ostiary.core.accounts.accounts import Status
from ostiary.testing import Browser, Kit, running
from tests.core.signin.stage import account_id, session_rows, set_status
from tests.features.api_keys.stage import Host
from tests.features.tokens import test_codes as front_end
from tests.features.tokens.stage import ANNA, login, pair_of, refresh, who

Use = Callable[[Kit], Awaitable[httpx2.Response]]


@pytest.fixture
async def shop(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine with every delivery, and Anna's account."""
    given: dict[str, Any] = {
        "token_cookies": True, "front_end_origins": (front_end.SPA,), "token_origins": (front_end.SPA,),
        "after_sign_in": (front_end.BACK,),
    }  # fmt: skip
    async with running(tmp_path, database=database_url, **given) as kit:
        await kit.signed_up(ANNA)
        yield kit


async def use_key(kit: Kit, key: str) -> httpx2.Response:
    """Call a host's route with an API key."""
    return await Host(kit).client(key).get("/who")


async def held(kit: Kit) -> dict[str, Use]:
    """Every grant, got while the account was active; each is used later."""
    cookie: Browser = await kit.sign_in(ANNA)
    pair = await pair_of(kit)
    both = kit.browser()
    (await login(both, delivery="token_cookies")).raise_for_status()
    code = front_end.code_in(await front_end.sign_in(kit.browser()))
    key = (await cookie.post("/auth/api-keys", json={"name": "Deploy"})).json()["key"]
    return {
        "an API key": lambda kit: use_key(kit, key),
        "the cookie": lambda _: cookie.get("/auth/session"),
        "a token for the cookie": lambda _: cookie.post("/auth/token"),
        "an access token": lambda kit: who(kit, pair["access_token"]),
        "a refresh token": lambda kit: refresh(kit, pair["refresh_token"]),
        "an access token in a cookie": lambda _: both.get("/auth/session"),
        "a refresh token in a cookie": lambda _: both.post("/auth/refresh"),
        "a front end's code": lambda kit: front_end.exchange(kit, code),
        "a password, for a cookie": lambda kit: login(kit.browser(), delivery="cookie"),
        "a password, for tokens": lambda kit: login(kit.browser()),
        "a password, for cookies with tokens": lambda kit: login(kit.browser(), delivery="token_cookies"),
    }


async def test_every_grant_of_an_active_account_works(shop: Kit) -> None:
    """Otherwise the refusals below would say nothing."""
    answers = {name: (await use(shop)).status_code for name, use in (await held(shop)).items()}
    assert set(answers.values()) == {200}, answers


@pytest.mark.parametrize("is_back", [False, True], ids=["disabled", "disabled and enabled again"])
async def test_no_grant_outlives_the_account(shop: Kit, is_back: bool) -> None:
    """Disabled, nothing works; enabled again, only a new sign-in does. No session is left or begun by trying."""
    grants = await held(shop)
    anna = await account_id(shop, ANNA)
    await set_status(shop, anna, Status.DISABLED)
    if is_back:
        await set_status(shop, anna, Status.ACTIVE)
    for name, use in grants.items():
        if name.startswith("a password") and is_back:
            continue
        assert (await use(shop)).status_code in (400, 401), name
    assert all(row[3] for row in await session_rows(shop)), "every session has ended"
    if is_back:
        assert (await login(shop.browser())).status_code == 200
