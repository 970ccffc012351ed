"""Leaving: cookies with tokens whose access token has expired, front ends that may hold none, and stale tokens."""

import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from ostiary.testing import Browser, Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import dump, session_rows
from tests.features.tokens.stage import ANNA, code_of, login, pair_of, refresh

SPA = "https://app.example.com"
PLAIN_SPA = "https://other.example.com"
OWN = "https://auth.example.test"
ACCESS, REFRESH, CSRF = "__Host-ostiary-access", "__Secure-ostiary-refresh", "__Host-ostiary-csrf"
PASSED = timedelta(minutes=20)  # more than an access token lasts


@pytest.fixture
async def shop(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine that allows every delivery, with one front end whose scripts may hold tokens and one that may not."""
    async with running(
        tmp_path,
        database=database_url,
        token_cookies=True,
        front_end_origins=(SPA, PLAIN_SPA),
        token_origins=(SPA,),
    ) as kit:
        await kit.signed_up(ANNA)
        yield kit


async def expired(shop: Kit, **given: Any) -> Browser:
    """A browser with token cookies that was left alone until its access token had expired."""
    browser = shop.browser(**given)
    assert (await login(browser, delivery="token_cookies")).status_code == 200
    shop.clock.turn(PASSED)
    assert code_of(await browser.get("/auth/session")) == "token_expired"
    assert browser.cookies.get(REFRESH), "kept: it is still good"
    return browser


async def reasons(shop: Kit) -> list[Any]:
    """Why each session ended; "" for a live one."""
    return [row[3] for row in await session_rows(shop)]


def form_token(page: str) -> str:
    """The CSRF token of a page's form."""
    return page.partition('name="csrf_token" value="')[2].partition('"')[0]


async def test_the_page_signs_out_after_the_access_token(shop: Kit) -> None:
    """The page asks as ever, its form ends the session, and neither cookies nor a copy of them refresh it."""
    browser = await expired(shop)
    copied = {name: browser.cookies[name] for name in (REFRESH, CSRF)}
    browser.cookies.delete(CSRF)  # the page gives it again
    page = await browser.get("/logout")
    assert page.status_code == 200
    assert form_token(page.text) == browser.cookies[CSRF]
    answer = await browser.post("/logout", data={"csrf_token": form_token(page.text)})
    assert answer.headers["location"] == "/login?done=signed-out"
    assert await reasons(shop) == ["signed_out"]
    assert code_of(await browser.post("/auth/refresh")) == "refresh_token_missing"
    assert code_of(await shop.browser(cookies=copied).post("/auth/refresh")) == "session_ended"


async def test_pages_take_an_expired_access_cookie_for_nobody(shop: Kit) -> None:
    """The account's pages lead to sign in, and the pages of signing in and up are shown."""
    browser = await expired(shop)
    assert (await browser.get("/account")).headers["location"].startswith("/login")
    assert (await browser.get("/login")).status_code == 200
    assert (await browser.get("/signup")).status_code == 200
    assert (await browser.post("/auth/refresh")).status_code == 200
    assert (await browser.get("/account")).status_code == 200


@pytest.mark.parametrize("way", ["page", "json", "refresh cookie alone"])
async def test_signing_in_again_replaces(shop: Kit, way: str) -> None:
    """A session whose access token has expired ends when another one begins in the same browser."""
    browser = await expired(shop)
    if way == "page":
        token = form_token((await browser.get("/login")).text)
        data = {"identifier": ANNA, "password": PASSWORD, "csrf_token": token}
        assert (await browser.post("/login", data=data)).status_code == 303
    else:
        if way == "refresh cookie alone":
            browser.cookies.delete(ACCESS)
        assert (await login(browser, delivery="token_cookies")).status_code == 200
    assert await reasons(shop) == ["replaced", ""]


async def test_without_the_csrf_token_nothing_is_ended(shop: Kit) -> None:
    """Expired cookies without their CSRF token end no session, neither by signing out nor by signing in."""
    browser = await expired(shop, sends_csrf=False)
    assert code_of(await browser.post("/auth/logout")) == "csrf_failed"
    assert code_of(await browser.post("/auth/refresh")) == "csrf_failed"
    assert await reasons(shop) == [""]
    assert (await login(browser, delivery="cookie")).status_code == 200
    assert await reasons(shop) == ["", ""]


async def test_the_key_of_an_expired_access_cookie_may_be_gone(shop: Kit) -> None:
    """An access token that no key reads any more costs nobody the refresh token beside it."""
    browser = await expired(shop)
    header, claims, signature = browser.cookies[ACCESS].split(".")
    unknown = header_with_another_key(header)
    browser.cookies.delete(ACCESS)
    browser.cookies.set(ACCESS, f"{unknown}.{claims}.{signature}")
    answer = await browser.get("/auth/session")
    assert code_of(answer) == "token_invalid"
    assert answer.headers.get_list("set-cookie") == []
    assert (await browser.get("/logout")).status_code == 200
    assert (await browser.post("/auth/refresh")).status_code == 200


def header_with_another_key(header: str) -> str:
    """A token's header that names a key that is not there."""
    words = orjson.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    return base64.urlsafe_b64encode(orjson.dumps(words | {"kid": "gone"})).rstrip(b"=").decode()


async def test_a_front_end_gets_access_tokens_only_where_named(shop: Kit) -> None:
    """By session cookie, our own origin and those in `token_origins` get one; another front end gets none."""
    browser = await shop.sign_in(ANNA)
    before = await dump(shop, without=("outbox",))
    refused = await browser.post("/auth/token", headers={"origin": PLAIN_SPA})
    assert code_of(refused) == "delivery_not_allowed"
    assert "access_token" not in refused.text
    assert await dump(shop, without=("outbox",)) == before
    for origin in (OWN, SPA):
        answer = await browser.post("/auth/token", headers={"origin": origin})
        assert answer.json().keys() == {"access_token", "token_type", "expires_in"}


@pytest.mark.parametrize("by", ["bearer", "cookies", "used"])
async def test_what_is_stale_ends_its_own_session_alone(shop: Kit, by: str) -> None:
    """`everywhere` with an expired access token, or a refresh token that was used before, spares the others."""
    browser = shop.browser()
    body: dict[str, Any] = {"everywhere": True}
    if by == "cookies":
        browser = await expired(shop)
        browser.cookies.delete(REFRESH)
    else:
        pair = await pair_of(shop)
        if by == "bearer":
            browser.headers["authorization"] = f"Bearer {pair['access_token']}"
            shop.clock.turn(PASSED)
        else:
            body |= {"refresh_token": pair["refresh_token"]}
            await refresh(shop, pair["refresh_token"])
    await shop.sign_in(ANNA)
    assert (await browser.post("/auth/logout", json=body)).status_code == 204
    assert await reasons(shop) == ["signed_out", ""]


@pytest.mark.parametrize("by", ["bearer", "access cookie", "refresh cookie", "refresh token"])
async def test_what_is_current_ends_them_all(shop: Kit, by: str) -> None:
    """A good access token or the present refresh token ends every session, also beside something stale."""
    browser = shop.browser()
    body: dict[str, Any] = {"everywhere": True}
    if by == "access cookie":
        await login(browser, delivery="token_cookies")
        browser.cookies.delete(REFRESH)
    elif by == "refresh cookie":
        browser = await expired(shop)  # with the access token that has expired
    else:
        pair = await pair_of(shop)
        if by == "bearer":
            browser.headers["authorization"] = f"Bearer {pair['access_token']}"
        else:
            body |= {"refresh_token": (await refresh(shop, pair["refresh_token"])).json()["refresh_token"]}
    await shop.sign_in(ANNA)
    assert (await browser.post("/auth/logout", json=body)).status_code == 204
    assert await reasons(shop) == ["signed_out_everywhere"] * 2
