"""A forgotten and a changed password, as people click it."""

import pytest

from ostiary.testing.kit import PASSWORD
from tests.browser.conftest import Seat
from tests.browser.person import FIREFOX, Person, account, link_token
from tests.support.server import Server, mail_to

NEW = "another harbour seventeen lanterns"
NEWER = "a third harbour with eleven lamps"


async def _follow_the_mail(person: Person, server: Server, email: str, *, count: int) -> None:
    """Look into the mailbox and click the link of the latest mail."""
    mail = await mail_to(server, email, count=count)
    assert mail["subject"].startswith("Choose a new password")
    await person.open("/dev/mailbox")
    newest = person.page.get_by_role("article").filter(has_text=f"to {email}").first
    async with person.page.expect_event("load"):
        await newest.get_by_role("link").first.click()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_forgotten(seat: Seat, site: Server, scripts: bool) -> None:
    """The link from the mail sets a new password, once; who was signed in elsewhere is out, and the owner is told."""
    email = f"forgot-{scripts}@example.com"
    await account(site, email)
    old = await seat(java_script_enabled=scripts, user_agent=FIREFOX)
    await old.sign_in(email)
    assert old.path == "/account"

    person = await seat(java_script_enabled=scripts)
    await person.open("/login")
    await person.press("Forgot your password?", role="link")
    await person.fill("E-mail address", email)
    await person.press("Send me the link")
    assert (person.path, await person.heading()) == ("/recover/sent", "Look into your mail")
    assert email in await person.text()
    await _follow_the_mail(person, site, email, count=2)
    assert (person.path, await person.heading()) == ("/recover/reset", "Choose a new password")
    assert "token" not in person.page.url
    await person.fill("New password", "short")
    await person.press("Set the new password")
    assert "Use at least 12 characters." in await person.text()
    await person.fill("New password", NEW)
    await person.press("Set the new password")
    assert (person.path, await person.heading()) == ("/recover/done", "Your password is changed")

    assert await old.open("/account/security") == 200
    assert old.path == "/login", "the old session is out"
    mail = await mail_to(site, email, count=3)
    assert mail["subject"] == "Your ostiary password was reset"

    await person.press("Sign in", role="link")
    await person.sign_in(email)
    assert person.path == "/login", "the old password is none any more"
    await person.sign_in(email, NEW)
    assert person.path == "/account"
    assert await person.open(f"/recover/reset?token={await _spent(site, email)}") == 400
    assert await person.heading() == "This link does not work any more"


async def _spent(server: Server, email: str) -> str:
    """The token of the link in the last mail that had one to choose a password."""
    async with server.client() as client:
        mails = [one for one in (await client.get("/dev/mailbox.json")).json() if one["to"] == email]
    links: list[str] = [link for one in mails for link in one["links"] if "/recover/reset?" in link]
    return links[-1].partition("token=")[2]


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_changed(seat: Seat, site: Server, scripts: bool) -> None:
    """From the account's pages: this browser stays signed in, the other one is out, and the owner is told."""
    email = f"change-{scripts}@example.com"
    await account(site, email)
    person = await seat(java_script_enabled=scripts)
    other = await seat(java_script_enabled=scripts, user_agent=FIREFOX)
    for who in (person, other):
        await who.sign_in(email)
    await person.open("/account/security")
    await person.press("Change it", role="link")
    await person.fill("New password", PASSWORD)
    await person.press("Change password")
    assert "Choose one that you have not used here before." in await person.text()
    await person.fill("New password", NEWER)
    await person.press("Change password")
    assert person.path == "/account/security"
    assert "Your password is changed." in await person.text()
    await person.open("/account")
    assert person.path == "/account"
    assert await other.open("/account") == 200
    assert other.path == "/login"
    mail = await mail_to(site, email, count=2)
    assert mail["subject"] == "Your ostiary password was changed"


async def test_a_link_read_by_a_scanner_still_works(seat: Seat, site: Server) -> None:
    """A program that loads the page of the link, scripts and all, spends nothing; another browser uses the link."""
    email = "scanned@example.com"
    await account(site, email)
    async with site.client() as client:
        (await client.post("/auth/password/forgot", json={"email": email})).raise_for_status()
    token = await link_token(site, email, count=2)
    scanner, person = await seat(user_agent=FIREFOX), await seat()
    for _ in range(2):
        assert await scanner.open(f"/recover/reset?token={token}") == 200
    await person.open(f"/recover/reset?token={token}")
    await person.fill("New password", NEW)
    await person.press("Set the new password")
    assert person.path == "/recover/done"
