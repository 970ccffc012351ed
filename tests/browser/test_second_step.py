"""Two-step sign-in as people click it: set up, use, run short of codes, lose the phone; with and without scripts."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest
from playwright.async_api import Browser

from ostiary.features.factors import flow as factors
from ostiary.testing import Kit
from tests.browser.person import Person, sitting
from tests.browser.stand import standing
from tests.features.email_code.test_email_code import code as _code

ANNA = "anna@example.com"
SCRIPTS = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine behind a port, with a clock to turn, since a code is good once."""
    async with standing(tmp_path, email_code=True, backup_code_count=4) as kit:
        await kit.signed_up(ANNA)
        yield kit


def _now(kit: Kit, app: pyotp.TOTP) -> str:
    """A code that the app has not shown before."""
    kit.clock.turn(timedelta(minutes=1))
    return app.at(kit.clock.now())


async def _set_up(kit: Kit, person: Person, name: str = "Phone") -> pyotp.TOTP:
    """From the overview to where the code was right, by the key that stands beside the picture."""
    await person.open("/account")
    async with person.page.expect_event("load"):
        await person.page.get_by_role("navigation").get_by_role("link", name="Two-step sign-in").click()
    await person.press("Add an authenticator app", role="link")
    await person.fill("What do you call it? (optional)", name)
    await person.press("Go on")
    assert await person.heading() == "Scan and confirm"
    assert await person.page.get_by_role("img", name="QR code").is_visible()
    uri = await person.page.get_by_role("link", name="Open it in an app").get_attribute("href")
    app = pyotp.parse_uri(uri or "")
    assert isinstance(app, pyotp.TOTP)
    key = await person.page.locator(".key").inner_text()
    assert key.replace(" ", "").strip() == app.secret
    await person.fill("Code from the app", "000 00")
    await person.press("Confirm")
    assert "This code is not right." in await person.text()
    await person.fill("Code from the app", _now(kit, app))
    await person.press("Confirm")
    return app


async def _saved(person: Person, scripts: bool, folder: Path) -> list[str]:
    """The codes on the page, the same in the file; with scripts the same in the clipboard."""
    assert await person.heading() == "Save your backup codes"
    shown = await person.page.locator("#codes code").all_inner_texts()
    async with person.page.expect_download() as waiting:
        await person.page.get_by_role("link", name="Download").click()
    download = await waiting.value
    assert download.suggested_filename == "backup-codes.txt"
    await download.save_as(folder / "codes.txt")
    assert (folder / "codes.txt").read_text().split()[1:] == shown
    copy = person.page.get_by_role("button", name="Copy")
    assert await copy.is_visible() == scripts
    assert await person.page.get_by_role("button", name="Print").is_visible() == scripts
    if scripts:
        await person.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await copy.click()
        await person.page.get_by_role("button", name="Copied").wait_for()
        assert (await person.page.evaluate("navigator.clipboard.readText()")).split("\n") == shown
    await person.page.emulate_media(media="print")
    assert not await person.page.get_by_role("navigation").is_visible()
    assert not await person.page.get_by_role("link", name="Download").is_visible()
    assert await person.page.locator("#codes").is_visible()
    box = await person.page.locator("#codes").bounding_box()
    assert box is not None
    assert box["width"] > 400, "the whole sheet is used"
    await person.page.emulate_media(media="screen")
    await person.press("I have saved them", role="link")
    assert "4 left" in await person.text()
    return shown


async def _send(person: Person) -> None:
    """Press the one button that sends the page's form."""
    async with person.page.expect_event("load"):
        await person.page.get_by_role("main").locator("button[type=submit]").click()


async def _leave(person: Person) -> None:
    async with person.page.expect_event("load"):
        await person.page.get_by_role("banner").get_by_role("button", name="Sign out").click()


@SCRIPTS
async def test_from_the_first_app_to_a_lost_phone(
    browser: Browser, kit: Kit, tmp_path: Path, scripts: bool
) -> None:
    """Set up and save the codes, sign in by code, then by backup codes until a mail warns; remove the lost phone, set
    up another one, and get new codes in place of the old."""
    async with sitting(browser, kit.base_url, java_script_enabled=scripts) as person:
        await person.sign_in(ANNA)
        app = await _set_up(kit, person)
        codes = await _saved(person, scripts, tmp_path)
        await _leave(person)

        await person.sign_in(ANNA)
        assert (person.path, await person.heading()) == ("/login/factor", "One more step")
        await person.fill("Code from your authenticator app", "12345")
        await person.press("Go on")
        assert "This code is wrong" in await person.text()
        await person.fill("Code from your authenticator app", _now(kit, app))
        await person.press("Go on")
        assert person.path == "/account"

        for used, few in ((codes[0], False), (codes[1].lower().replace("-", " "), True)):
            await _leave(person)
            before = len(kit.mailbox.messages())
            await person.sign_in(ANNA)
            await person.press("Use instead: Backup code", role="link")
            await person.fill("Backup code", used)
            await person.press("Go on")
            assert person.path == "/account"
            (mail,) = await _new_mails(kit, before)
            assert mail["subject"].startswith("Few backup codes are left") == few
            assert f"{3 - few} codes are left." in mail["text"]
        await person.open("/account/factors")
        assert "2 left" in await person.text()

        await person.press("Remove Phone", role="link")
        assert "It is the last one" in await person.text()
        await person.press("Remove it")
        assert "Whoever has your password can sign in." in await person.text()
        await _set_up(kit, person, "New phone")
        assert not set(await _saved(person, scripts, tmp_path)) & set(codes)
        await person.press("Make new codes", role="link")
        await person.press("Make new codes")
        assert await person.heading() == "Save your backup codes"


@SCRIPTS
async def test_nothing_but_an_operator_gets_around_it(browser: Browser, kit: Kit, scripts: bool) -> None:
    """Phone and codes are gone: neither a new password nor a link by mail skips the second step; an operator removes
    it, the owner is told, and the password is enough until another app is set up."""
    async with sitting(browser, kit.base_url, java_script_enabled=scripts) as person:
        await person.sign_in(ANNA)
        await _set_up(kit, person)
        await _leave(person)
        again = "another harbour seventeen lanterns"
        await person.open("/recover")
        await person.fill("E-mail address", ANNA)
        await _send(person)
        await person.open(await _link(kit, "/recover/reset"))
        await person.fill("New password", again)
        await _send(person)
        await person.sign_in(ANNA, again)
        assert (person.path, await person.heading()) == ("/login/factor", "One more step")
        await person.open("/login/link/ask")
        await person.fill("E-mail address", ANNA)
        await person.press("Send me a link")
        await person.open(await _link(kit, "/login/link"))
        await person.press("Sign in")
        assert (person.path, await person.heading()) == ("/login/factor", "One more step")
        await person.open("/account")
        assert person.path == "/login"

        await factors.reset(kit.engine.core, ANNA)
        await person.sign_in(ANNA, again)
        assert person.path == "/account"
        told = [mail["subject"] for mail in kit.mailbox.messages() if mail["to"] == ANNA]
        assert any("second steps" in subject for subject in told), told


async def _new_mails(kit: Kit, before: int) -> list[dict[str, Any]]:
    """What was mailed after so many mails."""
    for _ in range(1000):
        if new := kit.mailbox.messages()[before:]:
            return new
        await asyncio.sleep(0.01)
    raise AssertionError("no mail came")


async def _link(kit: Kit, path: str) -> str:
    """The link of the latest mail that leads there."""
    for _ in range(500):
        for mail in reversed(kit.mailbox.messages()):
            for link in mail["links"]:
                if path in link:
                    found: str = link
                    return found.removeprefix(kit.base_url)
        await asyncio.sleep(0.01)
    raise AssertionError(f"no mail with a link to {path}")


@SCRIPTS
async def test_codes_by_mail(browser: Browser, kit: Kit, scripts: bool) -> None:
    """Switched on by a mailed code, asked for at the door by a button, and switched off."""
    async with sitting(browser, kit.base_url, java_script_enabled=scripts) as person:
        await person.sign_in(ANNA)
        await person.open("/account/factors")
        await person.press("Use codes by mail", role="link")
        await person.press("Mail me a code")
        await person.fill("Code from the mail", await _code(kit, 1))
        await person.press("Confirm")
        assert await person.heading() == "Save your backup codes"
        await _leave(person)
        await person.sign_in(ANNA)
        await person.press("Mail me a code")
        await person.fill("Code that we mail you", await _code(kit, 2))
        await person.press("Go on")
        assert person.path == "/account"
        await person.open("/account/factors")
        await person.press("Switch off Codes by mail", role="link")
        await person.press("Switch it off")
        assert "Removed: codes by mail." in await person.text()


@SCRIPTS
async def test_who_needs_one_adds_it_at_the_door(browser: Browser, tmp_path: Path, scripts: bool) -> None:
    """Where a second step is required, the way from the password to the account leads through setting one up."""
    async with standing(tmp_path, require_factor="everybody", factor_grace="0s") as kit:
        await kit.signed_up(ANNA)
        async with sitting(browser, kit.base_url, java_script_enabled=scripts) as person:
            await person.open("/account/sessions")
            await person.sign_in(ANNA)
            assert (person.path, await person.heading()) == ("/login/enrol", "Add a second step")
            await person.press("Set up an authenticator app")
            key = (await person.page.locator(".key").inner_text()).replace(" ", "").strip()
            await person.open("/account")
            assert person.path == "/login", "nothing is open yet"
            await person.open("/login/enrol")
            assert (await person.page.locator(".key").inner_text()).replace(" ", "").strip() == key
            await person.fill("First code", pyotp.TOTP(key).at(kit.clock.now()))
            await person.press("Go on")
            assert await person.heading() == "Save your backup codes"
            await person.press("I have saved them", role="link")
            assert person.path == "/account/sessions"
            await person.open("/account/factors")
            assert "add another one first" in await person.text()
