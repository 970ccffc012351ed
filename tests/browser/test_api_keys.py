"""An API key in a real browser: made, copied, rotated and revoked."""

import httpx2

from tests.browser.conftest import Seat
from tests.browser.person import account
from tests.support.server import Server, mail_to


async def test_from_making_to_revoking(seat: Seat, site: Server) -> None:
    """The key is shown once and copied by a button; the owner is told of each step by mail."""
    email = "keys@example.com"
    await account(site, email)
    person = await seat()
    await person.sign_in(email)
    async with person.page.expect_event("load"):
        await person.page.get_by_role("navigation").get_by_role("link", name="API keys").click()
    await person.press("Make a key", role="link")
    await person.fill("What is it for?", "Backup")
    await person.press("Make the key")
    assert await person.heading() == "Your new API key"
    key = (await person.page.locator("#api-key").inner_text()).strip()
    assert key.startswith("ost_live_")
    copy = person.page.get_by_role("button", name="Copy")
    await person.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await copy.click()
    await person.page.get_by_role("button", name="Copied").wait_for()
    assert await person.page.evaluate("navigator.clipboard.readText()") == key
    async with httpx2.AsyncClient(base_url=site.url) as program:
        refused = await program.get("/auth/session", headers={"x-api-key": key})
        assert refused.json()["code"] == "session_required", "a key, and a good one, is no session"

    await person.press("I have saved it", role="link")
    assert key not in await person.page.content()
    await person.press("Rotate Backup", role="link")
    await person.press("Make the new key")
    assert (await person.page.locator("#api-key").inner_text()).strip() != key
    await person.press("I have saved it", role="link")
    for _ in range(2):
        async with person.page.expect_event("load"):
            await person.page.get_by_role("main").get_by_role("link", name="Revoke Backup").first.click()
        await person.press("Revoke it")
        assert "The key is revoked." in await person.text()
    assert "You have no API keys." in await person.text()
    told = await mail_to(site, email, count=5)
    assert told["subject"].startswith("An API key of your")
