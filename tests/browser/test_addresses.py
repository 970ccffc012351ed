"""Changing the address in a real browser: the new one is proven, the old one is told, the new one signs in."""

import pytest

from tests.browser.conftest import Seat
from tests.browser.person import Person, account, link_token
from tests.support.server import Server, mail_to


async def _change(person: Person, server: Server, old: str, new: str) -> None:
    await account(server, old)
    await person.sign_in(old)
    async with person.page.expect_event("load"):
        await person.page.get_by_role("navigation").get_by_role("link", name="E-mail").click()
    await person.press("Add an address", role="link")
    await person.fill("E-mail address", new)
    await person.press("Send the mail")
    assert await person.heading() == "Look for our mail"
    await person.open(f"/account/emails/confirm?token={await link_token(server, new)}")
    assert await person.heading() == "Confirm your new address"
    await person.press("Confirm the address")
    assert "The address is confirmed." in await person.text()
    told = await mail_to(server, old, count=2)
    assert told["subject"].startswith("An address was added")
    assert new in told["text"]

    await person.press(f"Make primary: {new}", role="link")
    await person.press("Make it primary")
    assert "Your primary address is changed." in await person.text()
    assert new in await person.page.get_by_role("banner").inner_text()
    for address in (old, new):
        told = await mail_to(server, address, count=3 if address == old else 2)
        assert told["subject"].endswith("another primary address")

    await person.press(f"Remove {old}", role="link")
    await person.press("Remove it")
    assert "The address is removed." in await person.text()
    told = await mail_to(server, old, count=4)
    assert told["subject"].startswith("An address was removed")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_moving_to_another_address(seat: Seat, site: Server, scripts: bool) -> None:
    """Add, prove, make primary, remove the old one; then the new address signs in and the old one does not."""
    old, new = f"old-{scripts}@example.com", f"new-{scripts}@example.com"
    person, other = await seat(java_script_enabled=scripts), await seat(java_script_enabled=scripts)
    await _change(person, site, old, new)
    await other.sign_in(old)
    assert (other.path, await other.heading()) == ("/login", "Sign in")
    await other.sign_in(new)
    assert other.path == "/account"


async def test_the_same_on_postgresql(seat: Seat, postgres_site: Server) -> None:
    """The change of address holds on PostgreSQL."""
    person = await seat(postgres_site)
    await _change(person, postgres_site, "moving@example.com", "moved@example.com")


async def test_the_code_on_the_same_page(seat: Seat, site: Server) -> None:
    """Whoever reads the mail elsewhere types its code, and never leaves the page that waits."""
    old, new = "coder@example.com", "coder@new.example"
    await account(site, old)
    person = await seat()
    await person.sign_in(old)
    await person.open("/account/emails/add")
    await person.fill("E-mail address", new)
    await person.press("Send the mail")
    mail = await mail_to(site, new)
    (code,) = [line.strip() for line in mail["text"].splitlines() if line.strip().isdigit()]
    await person.fill("6-digit code", f"{code[:3]} {code[3:]}")
    await person.press("Confirm")
    assert "The address is confirmed." in await person.text()
