"""Passkeys as people use them, in Chromium with virtual authenticators: add, use, lose, copy, cancel."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from ostiary.testing import Kit
from ostiary.testing.authenticator import decode
from ostiary.testing.passkeys import sign_in_options
from tests.browser.device import Device
from tests.browser.person import Person, sitting
from tests.browser.stand import standing
from tests.core.signin.stage import journalled
from tests.support.ports import free_port
from tests.support.server import PROGRAM, launch

ANNA = "anna@example.com"


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine behind a port, under a name: browsers know no passkeys on bare addresses."""
    given: dict[str, Any] = {"rate_limit_allow": ("127.0.0.0/8",)}
    async with standing(tmp_path, host="localhost", **given) as kit:
        await kit.signed_up(ANNA)
        yield kit


async def _add(person: Person, name: str) -> None:
    await person.open("/account/factors/passkeys/new")
    await person.fill("What do you call it? (optional)", name)
    await person.press("Make a passkey")


async def _sign_out(person: Person) -> None:
    """And the browser forgets that it knows the account."""
    await person.context.clear_cookies()
    await person.open("/login/passkey")


async def test_from_the_first_passkey_on(browser: Browser, kit: Kit) -> None:
    """Two authenticators: one signs in alone, the other as second step; cancelled, unverified, copied, removed."""
    async with sitting(browser, kit.base_url) as person:
        await person.sign_in(ANNA)
        phone = await Device.of(person.page)
        await _add(person, "Phone")
        assert await person.heading() == "Save your backup codes"
        assert [one["isResidentCredential"] for one in await phone.credentials()] == [True]
        await person.press("I have saved them", role="link")
        listed = await person.text()
        assert "Phone" in listed
        assert "bound to one device" in listed
        # The same device again: its browser says that there is one.
        await person.open("/account/factors/passkeys/new")
        await person.page.get_by_role("button", name="Make a passkey").click()
        await person.page.get_by_text("has a passkey of your account already").wait_for()

        await _sign_out(person)
        await person.press("Use my passkey")
        assert person.path == "/account"
        # The owner does not say who they are: the browser gives up, and the page says it in words.
        await _sign_out(person)
        await phone.send("setUserVerified", isUserVerified=False)
        await person.page.get_by_role("button", name="Use my passkey").click()
        await person.page.get_by_text("That was cancelled, or it took too long.").wait_for()
        await phone.send("setUserVerified", isUserVerified=True)
        await person.press("Use my passkey")
        assert person.path == "/account"

        # The sign-in page offers it by itself, for the field of the name.
        await person.context.clear_cookies()
        async with person.page.expect_event("load", lambda page: page.url.endswith("/account")):
            await person.open("/login")
        field = (
            '<input id="identifier" name="identifier" type="text" value="" autocomplete="username webauthn"'
        )
        assert field in (await kit.browser().get("/login")).text

        # A copy that is behind: refused, and the owner learns of it.
        await _sign_out(person)
        (credential,) = await phone.credentials()
        await phone.send("removeCredential", credentialId=credential["credentialId"])
        await phone.send("addCredential", credential=credential | {"signCount": 1})
        await person.press("Use my passkey")
        assert "This passkey did not work here" in await person.text()
        mail = await kit.mail_to(ANNA, count=3)
        assert "may have been copied" in mail["subject"]
        assert "passkey_cloned" in await journalled(kit)
        await phone.send("removeCredential", credentialId=credential["credentialId"])
        await phone.send("addCredential", credential=credential | {"signCount": 100})
        await person.press("Use my passkey")
        assert person.path == "/account"

        # A key without a PIN: no way in alone, but good as a second step.
        await phone.remove()
        key = await Device.of(person.page, "usb", verifies=False)
        await _add(person, "Key")
        assert await person.heading() == "Two-step sign-in"
        assert len(await key.credentials()) == 1
        await person.context.clear_cookies()
        await person.sign_in(ANNA)
        assert await person.heading() == "One more step"
        await person.page.get_by_label("Don't ask for a second step on this device", exact=False).check()
        await person.press("Use your passkey")
        assert person.path == "/account"
        assert "ostiary-trust" in {one.get("name") for one in await person.context.cookies()}

        await person.open("/account/factors")
        await person.press("Rename Key", role="link")
        await person.fill("What do you call it? (optional)", "Key ring")
        await person.press("Save")
        await person.press("Remove Key ring", role="link")
        await person.press("Remove it")
        assert "Key ring" not in await person.text()
        assert "Phone" in await person.text()


async def test_signing_up_without_a_password(browser: Browser, kit: Kit) -> None:
    """Nothing typed, cancelled, made; in without a name once the mail is redeemed; backup codes are shown this once."""
    berta, button = "berta@example.com", "Use a passkey instead of a password"
    async with sitting(browser, kit.base_url) as person:
        phone = await Device.of(person.page)
        await person.open("/signup")
        ceremony = person.page.get_by_role("button", name=button)
        await ceremony.click()
        assert await person.focused() == "email", "the field that is missing"
        await person.fill("Your name (optional)", "Berta")
        await person.fill("E-mail address", berta)
        await phone.send("setUserVerified", isUserVerified=False)
        await ceremony.click()
        await person.page.get_by_text("That was cancelled, or it took too long.").wait_for()
        assert await ceremony.evaluate("button => button === document.activeElement")
        assert await phone.credentials() == []
        await phone.send("setUserVerified", isUserVerified=True)
        await person.press(button)
        assert person.path == "/signup/check"
        assert berta in await person.text()
        (credential,) = await phone.credentials()
        assert (credential["isResidentCredential"], credential["userName"]) == (True, berta)

        token, _ = await kit.verification(berta)
        await person.open(f"/verify?token={token}")
        await person.press("Confirm my address")
        assert person.path == "/verify/done"
        # The sign-in page offers the passkey by itself.
        async with person.page.expect_event("load", lambda page: page.url.endswith("/login/passkey")):
            await person.open("/login")
        assert await person.heading() == "Save your backup codes"
        assert await person.page.locator("#codes li").count() == 10
        await person.press("I have saved them", role="link")
        assert person.path == "/account"
        assert "Berta" in await person.text()
        await _sign_out(person)
        await person.press("Use my passkey")
        assert person.path == "/account", "no codes any more"


async def test_made_at_the_door(browser: Browser, tmp_path: Path) -> None:
    """Where a second step is required, a passkey is made before there is a session; cancelled, it is tried again."""
    given: dict[str, Any] = {"require_factor": "everybody", "factor_grace": "0s"}
    async with standing(tmp_path, host="localhost", **given) as kit:
        await kit.signed_up(ANNA)
        async with sitting(browser, kit.base_url) as person:
            phone = await Device.of(person.page)
            await person.open("/account/sessions")
            await person.sign_in(ANNA)
            await person.press("Add a passkey")
            assert (person.path, await person.heading()) == ("/login/enrol", "Add a passkey")
            button = person.page.get_by_role("button", name="Make a passkey")
            await phone.send("setUserVerified", isUserVerified=False)
            await button.click()
            await person.page.get_by_text("That was cancelled, or it took too long.").wait_for()
            assert await button.evaluate("button => button === document.activeElement")
            await phone.send("setUserVerified", isUserVerified=True)
            await person.press("Make a passkey")
            assert await person.heading() == "Save your backup codes"
            await person.press("I have saved them", role="link")
            assert person.path == "/account/sessions"
            await _sign_out(person)
            await person.press("Use my passkey")
            assert person.path == "/account"


async def test_the_first_start(browser: Browser, tmp_path: Path) -> None:
    """`ostiary serve --dev` as it is: found by its address, it leads to its name, where no password is needed."""
    arguments, port = ("--dev", "--data", str(tmp_path / "data")), free_port()
    log = tmp_path / "server.log"
    server = launch(arguments, log, port=port, settings={}, program=(PROGRAM, "serve"))
    url = f"http://localhost:{port}"
    try:
        await server.ready()
        assert f"ostiary is ready on {url}\n" in server.said
        async with sitting(browser, url) as person:
            await Device.of(person.page)
            # What is asked under the address is the only thing that is.
            await person.page.goto(f"{server.url}/")
            assert person.page.url.startswith(f"{url}/login")
            assert person.troubles == [f"left: {server.url}/"]
            person.troubles.clear()
            await person.open("/signup")
            await person.fill("E-mail address", ANNA)
            await person.press("Use a passkey instead of a password")
            assert person.path == "/signup/check"
        assert await server.stop() == 0
    finally:
        server.process.kill()
        await server.ended()


_GET = """async (options) => {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  try {
    return (await navigator.credentials.get({ publicKey })).toJSON();
  } catch (error) {
    return error.name;
  }
}"""


async def test_elsewhere(browser: Browser, kit: Kit) -> None:
    """A page of another origin, and ours in its frame, get answers from the browser, and none opens anything."""
    elsewhere = "http://localhost:9"
    async with sitting(browser, kit.base_url) as person:
        await person.sign_in(ANNA)
        device = await Device.of(person.page)
        await _add(person, "Phone")
        (credential,) = await device.credentials()

    context = await browser.new_context()
    try:
        page = await context.new_page()
        device = await Device.of(page)
        await device.send("addCredential", credential=credential)
        ours = f"{kit.base_url}/frame"
        frame = f'<iframe src="{ours}" allow="publickey-credentials-get *"></iframe>'
        await context.route(ours, lambda route: route.fulfill(body="<p>Ours", content_type="text/html"))
        await context.route(
            f"{elsewhere}/**", lambda route: route.fulfill(body=frame, content_type="text/html")
        )
        client = kit.browser()

        async def shown(where: Any) -> Any:
            return await where.evaluate(_GET, await sign_in_options(client))

        async def status(answer: dict[str, Any]) -> int:
            return (await client.post("/auth/passkeys/login", json={"response": answer})).status_code

        # Another port is another origin, although the site is the same to browsers.
        await page.goto(f"{elsewhere}/")
        answer = await shown(page)
        assert _said(answer)["origin"] == elsewhere
        assert await status(answer) == 401
        # Ours, in a frame of a page that is of another origin.
        framed = page.frame(url=ours)
        assert framed is not None
        answer = await shown(framed)
        assert (_said(answer)["origin"], _said(answer)["crossOrigin"]) == (kit.base_url, True)
        assert await status(answer) == 401
        # For another site browsers do not even ask.
        other = await sign_in_options(client) | {"rpId": "example.com"}
        assert await framed.evaluate(_GET, other) == "SecurityError"
        # On our own page the same passkey opens.
        await page.goto(ours)
        answer = await shown(page)
        assert await status(answer) == 200
    finally:
        await context.close()


def _said(answer: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(decode(answer["response"]["clientDataJSON"]))
    return said
