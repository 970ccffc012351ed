"""A page that guards the account sends whoever signed in long ago to the door, and then they go on."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from ostiary.engine.features import RIBS
from ostiary.http.access import SESSION
from ostiary.http.pages import account_problem, page
from ostiary.http.rib import Rib
from ostiary.http.routing import Hot
from ostiary.http.visit import visit_of
from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.pages.reading import Visitor, session_cookie, visitor
from tests.support.ribs import WordOfTheDay

ANNA = "anna@example.com"


async def _vault(request: Request) -> Response:
    visit = visit_of(request.scope)
    current = await visit.session()
    visit.edge.core.sessions.require_fresh(current.principal)
    return await page(
        visit, "problem.html", heading="The vault", sentence="", wait=None, again="", reference=""
    )


VAULT = Rib(name="vault", hot_routes=(Hot("/vault", ("GET",), _vault, SESSION, on_problem=account_problem),))


@pytest.fixture
async def vaulted(database_url: str, tmp_path: Path, day: WordOfTheDay) -> AsyncIterator[Kit]:
    """An engine with a page that demands a fresh sign-in, and a second factor."""
    async with running(tmp_path, database=database_url, ribs=(*RIBS, VAULT, day.rib)) as kit:
        yield kit


async def _anna(kit: Kit, *, remember: bool = False) -> Visitor:
    await kit.signed_up(ANNA)
    anna = visitor(kit)
    box = {"remember": "on"} if remember else {}
    await anna.submit(await anna.open("/login"), "/login", identifier=ANNA, password=PASSWORD, **box)
    return anna


async def test_a_sign_in_of_today_is_asked_for_again(vaulted: Kit) -> None:
    """After 15 minutes the door asks once more, with the address filled in, and leads back; the old session is gone."""
    anna = await _anna(vaulted)
    assert (await anna.open("/vault")).heading == "The vault"
    before = session_cookie(vaulted, anna)
    vaulted.clock.turn(timedelta(minutes=16))
    again = await anna.open("/vault")
    assert (again.answer.url.path, again.heading) == ("/login", "Sign in again")
    assert again.tree.one("input", name="identifier").attributes["value"] == ANNA
    assert "Create an account" not in again.text
    wrong = await anna.submit(again, "/login", password="not hers at all")
    assert (wrong.status, wrong.heading) == (401, "Sign in again")
    assert (await anna.open("/account")).status == 200, "a wrong password ends no session"
    vault = await anna.submit(wrong, "/login", password=PASSWORD)
    assert (vault.answer.url.path, vault.heading) == ("/vault", "The vault")
    after = session_cookie(vaulted, anna)
    assert after
    assert after != before
    old = vaulted.browser(cookies={vaulted.engine.app.edge.cookies.session: before})
    assert (await old.get("/auth/session")).json()["code"] == "session_ended"


async def test_the_second_factor_is_asked_for_again_as_well(vaulted: Kit, day: WordOfTheDay) -> None:
    """The fresh proof is at the account's own level: the password alone opens nothing."""
    anna = await _anna(vaulted)
    session = (await anna.browser.get("/auth/session")).json()
    day.words[session["user"]["id"]] = "swordfish"
    vaulted.clock.turn(timedelta(minutes=16))
    factor = await anna.submit(await anna.open("/vault"), "/login", password=PASSWORD)
    assert factor.answer.url.path == "/login/factor"
    assert (await anna.open("/vault")).answer.url.path == "/login"
    vault = await anna.submit(await anna.open("/login/factor"), "/login/factor", code="swordfish")
    assert (vault.answer.url.path, vault.heading) == ("/vault", "The vault")


async def test_staying_signed_in_is_kept(vaulted: Kit) -> None:
    """Whoever stays signed in on this device still does after the fresh proof."""
    anna = await _anna(vaulted, remember=True)
    vaulted.clock.turn(timedelta(days=1))
    again = await anna.open("/vault")
    assert "checked" in again.tree.one("input", name="remember").attributes
    await anna.submit(again, "/login", password=PASSWORD)
    expires = (await anna.browser.get("/auth/session")).json()["session"]["expires_at"]
    assert expires[:10] == (vaulted.clock.now() + timedelta(days=30)).date().isoformat()


async def test_asking_again_without_a_session_is_an_ordinary_sign_in(vaulted: Kit) -> None:
    """Nobody learns anything from the word `again` in an address."""
    stranger = visitor(vaulted)
    assert (await stranger.open("/login?again=1&next=/vault")).heading == "Sign in"
