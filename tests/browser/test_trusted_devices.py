"""A trusted device as people click it: ticked once, asked for more where it matters, forgotten, asked again."""

from pathlib import Path

from playwright.async_api import Browser

from tests.browser.person import Person, sitting
from tests.browser.stand import standing
from tests.features.totp.stage import App
from tests.features.trusted_devices.stage import ANNA, with_app

BOX = "Don't ask for a second step on this device for 30 days"
CODE = "Code from your authenticator app"


async def _leave(person: Person) -> None:
    async with person.page.expect_event("load"):
        await person.page.get_by_role("banner").get_by_role("button", name="Sign out").click()


async def _answer(person: Person, app: App) -> None:
    await person.fill(CODE, app.fresh_code())
    await person.press("Go on")


async def test_from_the_tick_to_forgetting(browser: Browser, tmp_path: Path) -> None:
    """Without scripts: the tick survives a typing error; the next sign-in takes one step; adding an address takes the
    second one once, in a sign-in that does not go round in a circle; forgotten, the device is asked again."""
    async with standing(tmp_path) as kit:
        app = await with_app(kit)
        async with sitting(browser, kit.base_url, java_script_enabled=False) as person:
            await person.sign_in(ANNA)
            box = person.page.get_by_label(BOX, exact=True)
            assert not await box.is_checked()
            await box.check()
            await person.fill(CODE, app.wrong())
            await person.press("Go on")
            assert "This code is wrong" in await person.text()
            assert await box.is_checked()
            await _answer(person, app)
            assert person.path == "/account"
            await _leave(person)

            await person.sign_in(ANNA)
            assert person.path == "/account", "one step was enough"
            await person.open("/account/emails/add")
            assert (person.path, await person.heading()) == ("/login", "Sign in again")
            await person.sign_in(ANNA)
            assert (person.path, await person.heading()) == ("/login/factor", "One more step")
            await _answer(person, app)
            assert person.path == "/account/emails/add"
            await person.fill("E-mail address", "more@example.com")
            await person.press("Send the mail")
            assert "more@example.com" in await person.text()
            await _leave(person)

            await person.sign_in(ANNA)
            assert person.path == "/account", "nor has that ended the trust"
            await person.open("/account/trusted-devices")
            assert "This device" in await person.text()
            async with person.page.expect_event("load"):
                await person.page.get_by_role("main").get_by_role("link", name="Forget Linux").click()
            await person.press("Forget it")
            assert "That device will be asked for the second step again." in await person.text()
            await _leave(person)
            await person.sign_in(ANNA)
            assert (person.path, await box.is_checked()) == ("/login/factor", False)
