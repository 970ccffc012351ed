"""Adding a second step while signing in, through the pages alone: nothing opens before its first code was right."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest

from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import StoppedClock
from tests.pages.reading import Page, Visitor, session_cookie, visitor

ANNA = "anna@example.com"
START, CONFIRM = "/login/enrol", "/login/enrol/confirm"


@pytest.fixture
async def strict(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine that lets nobody in without a second step, and an account that has none."""
    given = {"require_factor": "everybody", "factor_grace": "0s", "clock": StoppedClock()}
    async with running(tmp_path, database=database_url, **given) as kit:  # type: ignore[arg-type]
        await kit.signed_up(ANNA)
        yield kit


async def asked(who: Visitor) -> Page:
    """The page that a right password leads to."""
    page = await who.submit(
        await who.open("/login?next=/account/sessions"), "/login", identifier=ANNA, password=PASSWORD
    )
    assert page.answer.url.path == START
    return page


def code_on(kit: Kit, page: Page) -> str:
    """What an app shows that somebody has typed the key into."""
    return pyotp.TOTP(page.tree.one("p", class_="key").text.replace(" ", "")).at(kit.clock.now())


async def test_from_the_password_to_where_it_led(strict: Kit) -> None:
    """Choose, scan, type the code, keep the backup codes, go on; a wrong code is said on the same page."""
    anna = visitor(strict)
    choose = await asked(anna)
    assert choose.heading == "Add a second step"
    words = ["Add a passkey", "Set up an authenticator app"]
    assert [one.text for one in choose.form(START).all("button")] == words
    add = await anna.submit(choose, START, factor="totp")
    assert (add.answer.url.path, add.heading) == (START, "Set up an authenticator app")
    assert add.tree.one("div", class_="qr").one("svg").all("path")
    again = await anna.open(START)
    assert code_on(strict, again) == code_on(strict, add), "a reload shows the same"

    empty = await anna.submit(add, CONFIRM, code="")
    assert (empty.status, empty.problem("code")) == (422, "Enter the code.")
    wrong = await anna.submit(add, CONFIRM, code="12345")
    assert (wrong.status, wrong.title) == (401, "Error: Set up an authenticator app · ostiary")
    assert wrong.problem("code") == "This code is wrong. Enter the one that is shown now."
    assert session_cookie(strict, anna) is None
    assert (await anna.open("/account")).heading == "Sign in"

    kept = await anna.submit(wrong, CONFIRM, code=code_on(strict, wrong))
    assert (kept.status, kept.heading) == (200, "Save your backup codes")
    assert kept.answer.headers["cache-control"] == "no-store"
    assert len({one.text for one in kept.tree.one("ol", id="codes").all("li")}) == 10
    assert session_cookie(strict, anna)
    onward = kept.tree.one("p", class_="after").one("a").attributes["href"]
    assert onward == "/account/sessions"
    assert "Add a second step by" not in (await anna.open(onward)).text
    listed = await anna.open("/account/factors")
    assert "to remove it, add another one first" in listed.text
    assert not [one for one in listed.tree.all("a") if one.attributes["href"].endswith("/remove")]
    (app,) = [one for one in (await anna.browser.get("/auth/mfa")).json()["factors"] if one["id"]]
    kept = await anna.open(f"/account/factors/totp/{app['id']}/remove")
    assert "your account needs a second step" in kept.text
    assert not kept.tree.one("main").all("form")


async def test_too_late_and_without_a_sign_in(strict: Kit) -> None:
    """Without a sign-in that waits, and after ten minutes, it begins again; nothing was stored."""
    nobody = visitor(strict)
    assert (await nobody.open(START)).heading == "Sign in"
    anna = visitor(strict)
    choose = await asked(anna)
    add = await anna.submit(choose, START, factor="totp")
    strict.clock.turn(timedelta(minutes=10))
    for late in (
        await anna.submit(choose, START, factor="totp"),
        await anna.submit(add, CONFIRM, code=code_on(strict, add)),
    ):
        assert late.heading == "Sign in"
        assert "Sign in again." in late.text
    assert session_cookie(strict, anna) is None


async def test_another_browser_cannot_finish(strict: Kit) -> None:
    """Whoever has read the page but not the cookie gets nowhere with its forms (L02)."""
    anna, thief = visitor(strict), visitor(strict)
    choose = await asked(anna)
    add = await anna.submit(choose, START, factor="totp")
    for page, action, typed in (
        (choose, START, {"factor": "totp"}),
        (add, CONFIRM, {"code": code_on(strict, add)}),
    ):
        assert (await thief.submit(page, action, **typed)).heading == "Sign in"
    assert session_cookie(strict, thief) is None
