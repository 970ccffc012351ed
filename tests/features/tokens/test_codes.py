"""A front end gets a one-time code in its address, never a token; its verifier makes tokens of that."""

import asyncio
import base64
import hashlib
import html
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from ostiary.core.tokens.codes import CODE
from ostiary.testing import Browser, Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import dump, session_rows
from tests.features.tokens.stage import ANNA, code_of, refresh, who

SPA = "https://app.example.com"
BACK = f"{SPA}/signed-in?from=auth"
VERIFIER = "the-verifier-that-only-the-front-end-has-0123456789"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
FORM = {"origin": "https://auth.example.test"}


@pytest.fixture
async def shop(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine with a front end whose scripts may hold tokens, and another destination that may not."""
    async with running(
        tmp_path,
        database=database_url,
        front_end_origins=(SPA,),
        token_origins=(SPA,),
        after_sign_in=(BACK, "https://other.example.com/in"),
    ) as kit:
        await kit.signed_up(ANNA)
        yield kit


async def begin(browser: Browser, **given: str) -> httpx2.Response:
    """Go to the sign-in page as the front end sends people."""
    return await browser.get("/login", params={"next": BACK, "code_challenge": CHALLENGE, **given})


def hidden(page: str, name: str) -> str:
    """The value of a hidden field of a page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, name
    return html.unescape(found[1])


async def sign_in(browser: Browser) -> httpx2.Response:
    """Walk through the pages until they lead away from us; the last answer."""
    page = await begin(browser)
    assert page.status_code == 200
    form = {"identifier": ANNA, "password": PASSWORD, "next": hidden(page.text, "next")}
    answer = await browser.post("/login", data=form, headers=FORM)
    while answer.headers["location"].startswith("/"):
        answer = await browser.get(answer.headers["location"])
    return answer


def code_in(answer: httpx2.Response) -> str:
    """The code in the address that an answer leads to."""
    location = urlsplit(answer.headers["location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == f"{SPA}/signed-in"
    query = parse_qs(location.query)
    assert query.pop("from") == ["auth"]
    assert query.keys() == {"code"}, "nothing else, and no token"
    return query["code"][0]


async def exchange(
    kit: Kit, code: str, verifier: str = VERIFIER, origin: str | None = SPA
) -> httpx2.Response:
    """Exchange a code, as the front end's script does."""
    headers = {} if origin is None else {"origin": origin}
    return await kit.browser().post(
        "/auth/token", json={"code": code, "code_verifier": verifier}, headers=headers
    )


async def codes(kit: Kit) -> int:
    """How many codes for front ends wait."""
    return sum(row[1] == CODE.name for row in (await dump(kit))["once"])


async def test_the_whole_way(shop: Kit) -> None:
    """Sign in on the page, come back with a code, exchange it: a pair of the session that the browser has here."""
    browser = shop.browser()
    code = code_in(await sign_in(browser))
    answer = await exchange(shop, code)
    assert answer.json().keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    session = (await browser.get("/auth/session")).json()["session"]
    assert (await who(shop, answer.json()["access_token"])).json()["session"]["id"] == session["id"]
    pair = (await refresh(shop, answer.json()["refresh_token"])).json()
    await browser.post("/auth/logout")
    assert code_of(await refresh(shop, pair["refresh_token"])) == "session_ended"


async def test_who_is_signed_in_goes_straight_back(shop: Kit) -> None:
    """There is nothing to type for somebody who has a session here."""
    browser = await shop.sign_in(ANNA)
    assert (await exchange(shop, code_in(await begin(browser)))).status_code == 200


async def test_the_page_may_lead_to_the_front_end(shop: Kit) -> None:
    """Its policy lets the form end there, which Chromium demands of redirects, too, and nowhere else."""
    page = await begin(shop.browser())
    assert f"form-action 'self' {SPA};" in page.headers["content-security-policy"] + ";"
    plain = await shop.browser().get("/login")
    assert SPA not in plain.headers["content-security-policy"]


async def test_without_a_challenge_nothing_changes(shop: Kit) -> None:
    """The redirect leads to the destination as it is."""
    browser = await shop.sign_in(ANNA)
    answer = await browser.get("/login", params={"next": BACK})
    assert answer.headers["location"] == BACK
    assert await codes(shop) == 0


async def test_it_works_once(shop: Kit) -> None:
    """Of eight that exchange it at the same moment one gets a pair; later nobody does."""
    code = code_in(await begin(await shop.sign_in(ANNA)))
    assert await codes(shop) == 1
    answers = await asyncio.gather(*(exchange(shop, code) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert code_of(await exchange(shop, code)) == "code_invalid"
    assert len((await dump(shop))["refresh_family"]) == 1


async def test_a_minute_and_no_longer(shop: Kit) -> None:
    """A code that lies about is worth nothing; so is an older one of the same session."""
    browser = await shop.sign_in(ANNA)
    older, code = code_in(await begin(browser)), code_in(await begin(browser))
    assert code_of(await exchange(shop, older)) == "code_invalid"
    shop.clock.turn(timedelta(seconds=61))
    assert code_of(await exchange(shop, code)) == "code_invalid"


@pytest.mark.parametrize("verifier", ["x" * 43, VERIFIER + "x", VERIFIER[:-1], CHALLENGE, "short"])
async def test_only_with_the_verifier(shop: Kit, verifier: str) -> None:
    """Whoever saw the code in an address cannot use it, and spends nothing by trying."""
    code = code_in(await begin(await shop.sign_in(ANNA)))
    assert code_of(await exchange(shop, code, verifier)) == "code_invalid"
    assert (await exchange(shop, code)).status_code == 200


async def test_only_from_its_destination(shop: Kit) -> None:
    """A browser elsewhere is refused; the front end's own server, which tells no origin, is not."""
    code = code_in(await begin(await shop.sign_in(ANNA)))
    assert code_of(await exchange(shop, code, origin="https://evil.example")) == "csrf_failed"
    assert code_of(await exchange(shop, code, origin="https://auth.example.test")) == "delivery_not_allowed"
    assert (await exchange(shop, code, origin=None)).status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        {"next": "https://other.example.com/in"},
        {"next": "https://evil.example/in"},
        {"next": BACK + "&more"},
        {"next": "/account"},
        {"next": ""},
        {"code_challenge": VERIFIER[:20]},
        {"code_challenge": CHALLENGE + "="},
    ],
)
async def test_where_no_code_goes(shop: Kit, given: dict[str, str]) -> None:
    """Another destination, or no challenge of the right form: an error page and no code, signed in or not."""
    for browser in (shop.browser(), await shop.sign_in(ANNA)):
        answer = await begin(browser, **given)
        assert answer.status_code == 422
        assert "location" not in answer.headers
    assert await codes(shop) == 0


async def test_an_ended_session_makes_its_code_worthless(shop: Kit) -> None:
    """A code stands for a session, and for nothing once that is over."""
    browser = await shop.sign_in(ANNA)
    code = code_in(await begin(browser))
    await browser.post("/auth/logout")
    assert code_of(await exchange(shop, code)) == "session_ended"
    assert (await dump(shop))["refresh_family"] == []
    assert [row[3] for row in await session_rows(shop)] == ["signed_out"]


async def test_a_fresh_sign_in_on_demand(shop: Kit) -> None:
    """With `again` somebody who is signed in shows once more who it is, and then goes back with a code."""
    browser = await shop.sign_in(ANNA)
    page = await begin(browser, again="1")
    assert page.status_code == 200
    form = {"identifier": ANNA, "password": PASSWORD, "next": hidden(page.text, "next")}
    form["csrf_token"] = browser.cookies["__Host-ostiary-csrf"]
    answer = await browser.post("/login", data=form, headers=FORM)
    answer = await browser.get(answer.headers["location"])
    assert (await exchange(shop, code_in(answer))).status_code == 200


async def test_a_session_keeps_few_families(shop: Kit) -> None:
    """Whoever exchanges codes in a loop fills no table: the oldest go, and the newest work."""
    browser = shop.browser()
    answer = await sign_in(browser)
    tokens = []
    for _ in range(13):
        tokens.append((await exchange(shop, code_in(answer))).json()["refresh_token"])
        answer = await begin(browser)
    assert len((await dump(shop))["refresh_family"]) == 10
    assert code_of(await refresh(shop, tokens[0])) == "refresh_token_invalid"
    assert (await refresh(shop, tokens[-1])).status_code == 200
