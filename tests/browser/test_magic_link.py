"""Signing in by mail, as people click it: in the browser that asked, and in another one."""

import pytest

from tests.browser.conftest import Seat
from tests.browser.person import FIREFOX, Person, account, link_token
from tests.support.server import Server


async def _ask(person: Person, email: str) -> None:
    await person.open("/account/sessions")
    await person.press("Sign in by mail instead", role="link")
    await person.fill("E-mail address", email)
    await person.press("Send me a link")
    assert (person.path, await person.heading()) == ("/login/link/sent", "Check your mail")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_in_the_browser_that_asked(seat: Seat, site: Server, scripts: bool) -> None:
    """The link's button signs in and leads to where they wanted to go; used again, the link offers a new one."""
    email = f"link-{scripts}@example.com"
    await account(site, email)
    person = await seat(java_script_enabled=scripts)
    await _ask(person, email)
    token = await link_token(site, email, count=2)
    await person.open(f"/login/link?token={token}")
    await person.press("Sign in")
    assert person.path == "/account/sessions"
    await person.open(f"/login/link?token={token}")
    assert await person.heading() == "This link does not work any more"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_in_another_browser(seat: Seat, site: Server, scripts: bool) -> None:
    """Elsewhere the link shows a code and signs nobody in; typed where they asked, the code does."""
    email = f"link-elsewhere-{scripts}@example.com"
    await account(site, email)
    person = await seat(java_script_enabled=scripts)
    phone = await seat(java_script_enabled=scripts, user_agent=FIREFOX)
    await _ask(person, email)
    await phone.open(f"/login/link?token={await link_token(site, email, count=2)}")
    assert await phone.heading() == "Your code"
    shown = await phone.page.locator(".shown-code").inner_text()
    await phone.open("/account")
    assert phone.path == "/login"
    await person.fill("Code", "000001" if shown.startswith("000") else "000000")
    await person.press("Sign in")
    assert "This code does not work." in await person.text()
    await person.fill("Code", shown)
    await person.press("Sign in")
    assert person.path == "/account/sessions"
