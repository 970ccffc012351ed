"""Three deliveries: a cookie, tokens in the answer, tokens in cookies; none of them turns into another."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ostiary.testing import Browser, Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import dump, session_rows
from tests.features.tokens.stage import ANNA, claims_of, code_of, login, pair_of, refresh, who

SPA = "https://app.example.com"
OWN = "https://auth.example.test"
ACCESS, REFRESH, CSRF, SESSION = (
    "__Host-ostiary-access", "__Secure-ostiary-refresh", "__Host-ostiary-csrf", "__Host-ostiary",
)  # fmt: skip


@pytest.fixture
async def shop(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine that allows every delivery, with one front end whose scripts may hold tokens and one that may not."""
    async with running(
        tmp_path,
        database=database_url,
        token_cookies=True,
        front_end_origins=(SPA, "https://other.example.com"),
        token_origins=(SPA,),
    ) as kit:
        await kit.signed_up(ANNA)
        yield kit


def set_cookies(answer: Any) -> dict[str, str]:
    """The cookies that an answer sets or clears, with their flags."""
    return {line.partition("=")[0]: line.partition("=")[2] for line in answer.headers.get_list("set-cookie")}


async def test_tokens_come_without_cookies(shop: Kit) -> None:
    """The answer has the pair, and the session takes the lifetimes of refresh tokens."""
    answer = await login(shop.browser())
    assert answer.headers.get_list("set-cookie") == []
    body = answer.json()
    assert body["status"] == "complete"
    assert {"access_token", "refresh_token", "token_type", "expires_in", "user", "session"} <= body.keys()
    assert (await who(shop, body["access_token"])).json()["session"] == body["session"]


async def test_a_cookie_comes_without_tokens(shop: Kit) -> None:
    """What a browser gets otherwise holds no token of either kind."""
    answer = await login(shop.browser(), delivery="cookie")
    assert not {"access_token", "refresh_token"} & answer.json().keys()
    assert set_cookies(answer).keys() == {SESSION, CSRF, "__Host-ostiary-known"}


async def test_cookies_with_tokens(shop: Kit) -> None:
    """Both for a week, though the access token expires before; refresh for the API alone; no script reads either."""
    answer = await login(shop.browser(), delivery="token_cookies")
    assert not {"access_token", "refresh_token"} & answer.json().keys()
    cookies = set_cookies(answer)
    assert cookies.keys() == {ACCESS, REFRESH, CSRF, "__Host-ostiary-known"}
    assert cookies[ACCESS].split("; ")[1:] == [
        "Max-Age=604800", "Path=/", "Secure", "HttpOnly", "SameSite=Lax",
    ]  # fmt: skip
    assert cookies[REFRESH].split("; ")[1:] == [
        "Max-Age=604800", "Path=/auth", "Secure", "HttpOnly", "SameSite=Strict",
    ]  # fmt: skip
    assert "HttpOnly" not in cookies[CSRF]


async def signed_in(shop: Kit, **given: Any) -> Browser:
    """A browser with token cookies."""
    browser = shop.browser(**given)
    assert (await login(browser, delivery="token_cookies")).status_code == 200
    return browser


async def test_the_access_cookie_is_a_session(shop: Kit) -> None:
    """It is taken where a session is, with the CSRF token on everything unsafe."""
    browser = await signed_in(shop)
    assert (await browser.get("/auth/session")).json()["user"]["email"] == ANNA
    assert (await browser.post("/auth/sessions/revoke-others")).status_code == 200
    assert (await browser.get("/account")).status_code == 200
    bare = await signed_in(shop, sends_csrf=False)
    assert code_of(await bare.post("/auth/sessions/revoke-others")) == "csrf_failed"
    assert code_of(await bare.post("/auth/refresh")) == "csrf_failed"
    assert code_of(await bare.post("/auth/logout")) == "csrf_failed"


async def test_a_refresh_by_cookie_answers_by_cookie(shop: Kit) -> None:
    """The body holds no token; the old access cookie may have expired and gone."""
    browser = await signed_in(shop)
    before = browser.cookies[REFRESH]
    shop.clock.turn(timedelta(minutes=20))
    answer = await browser.get("/auth/session")
    assert code_of(answer) == "token_expired"
    assert set_cookies(answer) == {}, "the refresh token is still good"
    browser.cookies.delete(ACCESS)
    answer = await browser.post("/auth/refresh")
    assert answer.json() == {"expires_in": 900}
    assert set_cookies(answer).keys() == {ACCESS, REFRESH, CSRF}
    assert browser.cookies[REFRESH] != before
    assert (await browser.get("/auth/session")).status_code == 200


async def test_a_dead_refresh_cookie_is_cleared(shop: Kit) -> None:
    """Once the session is over every cookie of it goes with the answer."""
    browser = await signed_in(shop)
    shop.clock.turn(timedelta(days=8))
    answer = await browser.post("/auth/refresh")
    assert code_of(answer) == "refresh_token_expired"
    cleared = set_cookies(answer)
    assert cleared.keys() == {SESSION, CSRF, ACCESS, REFRESH}
    assert all("Max-Age=0" in flags for flags in cleared.values())


async def test_a_token_comes_back_the_way_it_went(shop: Kit) -> None:
    """A token from a cookie is none in a body, and the other way round; the family does not suffer from it."""
    browser = await signed_in(shop)
    session_id, _, token = browser.cookies[REFRESH].partition(".")
    assert code_of(await refresh(shop, token)) == "refresh_token_invalid"
    pair = await pair_of(shop)
    csrf = browser.cookies[CSRF]
    forged = shop.browser(cookies={REFRESH: f"{session_id}.{pair['refresh_token']}", CSRF: csrf})
    assert code_of(await forged.post("/auth/refresh")) == "refresh_token_invalid"
    assert (await browser.post("/auth/refresh")).status_code == 200
    assert (await refresh(shop, pair["refresh_token"])).status_code == 200


async def test_the_refresh_cookie_names_its_session(shop: Kit) -> None:
    """With somebody else's CSRF token and session id before it, a refresh token from a cookie is refused."""
    mine, other = await signed_in(shop), await signed_in(shop)
    _, _, token = mine.cookies[REFRESH].partition(".")
    planted = f"{other.cookies[REFRESH].partition('.')[0]}.{token}"
    browser = shop.browser(cookies={REFRESH: planted, CSRF: other.cookies[CSRF]})
    assert code_of(await browser.post("/auth/refresh")) == "refresh_token_invalid"
    assert (await mine.post("/auth/refresh")).status_code == 200


@pytest.mark.parametrize("origin", ["https://other.example.com", OWN])
async def test_scripts_of_other_origins_get_no_tokens(shop: Kit, origin: str) -> None:
    """Only origins that the operator has named for it get tokens, also when refreshing; nothing is begun."""
    pair = await pair_of(shop)
    before = await dump(shop, without=("outbox",))
    browser = shop.browser(headers={"origin": origin})
    assert code_of(await login(browser)) == "delivery_not_allowed"
    assert code_of(await refresh(shop, pair["refresh_token"], browser)) == "delivery_not_allowed"
    assert await dump(shop, without=("outbox",)) == before
    assert (await login(browser, delivery="cookie")).status_code == 200


async def test_a_browser_that_tells_no_origin_gets_no_tokens(shop: Kit) -> None:
    """Sec-Fetch-Site, which scripts cannot set, gives a browser away."""
    browser = shop.browser(headers={"sec-fetch-site": "same-origin"})
    assert code_of(await login(browser)) == "delivery_not_allowed"


async def test_a_named_front_end_gets_tokens(shop: Kit) -> None:
    """Its script may read the answer, sign in for tokens and refresh them."""
    browser = shop.browser(headers={"origin": SPA})
    answer = await login(browser)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == SPA
    assert (await refresh(shop, answer.json()["refresh_token"], browser)).status_code == 200


async def test_token_cookies_are_opt_in(kit: Kit) -> None:
    """Without the setting nobody gets them; with another word than the three the request is not valid."""
    await kit.signed_up(ANNA)
    assert code_of(await login(kit.browser(), delivery="token_cookies")) == "delivery_not_allowed"
    assert code_of(await login(kit.browser(), delivery="carrier pigeon")) == "invalid_request"
    assert await session_rows(kit) == []


def test_a_token_origin_is_a_front_end(tmp_path: Path) -> None:
    """An origin that may hold tokens but not read answers would be a mistake."""
    from ostiary.http.settings import HttpSettings

    with pytest.raises(ValueError, match="not in front_end_origins"):
        HttpSettings(token_origins=(SPA,))


async def test_one_way_of_keeping_a_session_replaces_the_other(shop: Kit) -> None:
    """Signing in for another delivery ends the session that was there, and takes its cookies back."""
    browser = await signed_in(shop)
    answer = await login(browser, delivery="cookie")
    assert "Max-Age=0" in set_cookies(answer)[ACCESS]
    assert "Max-Age=0" in set_cookies(answer)[REFRESH]
    answer = await login(browser, delivery="token_cookies")
    assert "Max-Age=0" in set_cookies(answer)[SESSION]
    assert "Max-Age=0" not in set_cookies(answer)[CSRF]
    assert [row[3] for row in await session_rows(shop)] == ["replaced", "replaced", ""]


@pytest.mark.parametrize(
    "by", ["cookie", "access cookie", "expired", "refresh cookie", "bearer", "refresh token", "spent"]
)
async def test_signing_out(shop: Kit, by: str) -> None:
    """A cookie, a bearer or a refresh token, also an old one: the session ends, and every cookie is cleared."""
    browser, body = shop.browser(), {}
    if by == "cookie":
        await login(browser, delivery="cookie")
    elif by in {"access cookie", "expired", "refresh cookie"}:
        await login(browser, delivery="token_cookies")
        if by == "expired":
            browser.cookies.delete(REFRESH)
            shop.clock.turn(timedelta(minutes=30))
        if by == "refresh cookie":
            browser.cookies.delete(ACCESS)
    else:
        pair = await pair_of(shop)
        if by == "bearer":
            browser.headers["authorization"] = f"Bearer {pair['access_token']}"
        else:
            body["refresh_token"] = pair["refresh_token"]
        if by == "spent":
            await refresh(shop, pair["refresh_token"])
            shop.clock.turn(timedelta(minutes=1))
    answer = await browser.post("/auth/logout", json=body) if body else await browser.post("/auth/logout")
    assert answer.status_code == 204
    assert {SESSION, CSRF, ACCESS, REFRESH} == set_cookies(answer).keys()
    assert [row[3] for row in await session_rows(shop)] == ["signed_out"]


async def test_signing_out_of_nothing(shop: Kit) -> None:
    """Nonsense of every kind ends nobody's session, and is answered like everything else."""
    await pair_of(shop)
    browser = shop.browser(headers={"authorization": "Bearer nonsense"})
    assert (await browser.post("/auth/logout", json={"refresh_token": "nonsense"})).status_code == 204
    assert [row[3] for row in await session_rows(shop)] == [""]


async def test_everywhere(shop: Kit) -> None:
    """With a refresh token every session of its account ends, whatever it is kept in."""
    pair = await pair_of(shop)
    await shop.sign_in(ANNA)
    body = {"refresh_token": pair["refresh_token"], "everywhere": True}
    assert (await shop.browser().post("/auth/logout", json=body)).status_code == 204
    assert [row[3] for row in await session_rows(shop)] == ["signed_out_everywhere"] * 2


async def test_a_bearer_and_a_cookie(shop: Kit) -> None:
    """With both the bearer counts; the cookie still demands its CSRF token, for it could authenticate (E3)."""
    await shop.signed_up("bert@example.com")
    browser = await shop.sign_in("bert@example.com", sends_csrf=False)
    pair = await pair_of(shop)
    bearer = {"authorization": f"Bearer {pair['access_token']}"}
    assert (await browser.get("/auth/session", headers=bearer)).json()["user"]["email"] == ANNA
    assert code_of(await browser.post("/auth/sessions/revoke-others", headers=bearer)) == "csrf_failed"


async def test_remember_means_nothing_for_tokens(shop: Kit) -> None:
    """Their lifetimes are the refresh token's, and the session is no remembered one."""
    answer = await login(shop.browser(), remember=True)
    session = answer.json()["session"]
    assert session["expires_at"] > session["created_at"]
    assert claims_of(answer.json()["access_token"])["sid"] == session["id"]
    assert PASSWORD not in answer.text
