"""The whole way from signing up to signing out, as people click it."""

import pytest

from ostiary.testing.kit import PASSWORD
from tests.browser.conftest import Seat
from tests.browser.person import FIREFOX, Person, account, code_for, link_token
from tests.support.server import Server, mail_to


async def _arrive(person: Person, server: Server, email: str) -> None:
    """Sign up, look into the mailbox, open the link, press its button, sign in."""
    await person.sign_up(email, name="Anna")
    assert (person.path, await person.heading()) == ("/signup/check", "Check your mail")
    assert email in await person.text()
    await mail_to(server, email)
    await person.open("/dev/mailbox")
    links = person.page.get_by_role("article").filter(has_text=f"to {email}").get_by_role("link")
    async with person.page.expect_event("load"):
        await links.first.click()
    assert (person.path, await person.heading()) == ("/verify", "Confirm your address")
    await person.press("Confirm my address")
    assert (person.path, await person.heading()) == ("/verify/done", "Your address is confirmed")
    await person.press("Sign in", role="link")
    await person.sign_in(email)
    assert (person.path, await person.heading()) == ("/account", "Hello, Anna")


async def _end(person: Person, device: str) -> None:
    """Sign out the device whose row names this browser."""
    row = person.page.get_by_role("listitem").filter(has_text=device).filter(has_not_text="This device")
    async with person.page.expect_event("load"):
        await row.get_by_role("link").click()
    assert await person.heading() == "Sign out this device?"
    await person.press("Sign it out")
    assert "That device is signed out." in await person.text()


async def _journey(first: Person, second: Person, third: Person, server: Server, email: str) -> None:
    await _arrive(first, server, email)
    for other in (second, third):
        await other.sign_in(email)
        assert other.path == "/account"
    await first.open("/account")
    assert "Signed in on 3 devices" in await first.text()
    async with first.page.expect_event("load"):
        await first.page.get_by_role("navigation").get_by_role("link", name="Devices", exact=True).click()
    assert "Firefox" in await first.text()
    await _end(first, "Firefox")
    async with second.page.expect_event("load"):
        await second.page.get_by_role("link", name="Security").first.click()
    assert (second.path, await second.heading()) == ("/login", "Sign in")
    assert "next=/account/security" in second.page.url

    await first.press("Sign out all other devices", role="link")
    assert "1 other device has to sign in again." in await first.text()
    await first.press("Sign them out")
    assert "All other devices are signed out." in await first.text()
    assert await third.open("/account") == 200
    assert third.path == "/login"

    async with first.page.expect_event("load"):
        await first.page.get_by_role("banner").get_by_role("button", name="Sign out").click()
    assert first.path == "/login"
    assert "You are signed out." in await first.text()
    await first.open("/account")
    assert first.path == "/login"
    await second.sign_in(email)
    assert second.path == "/account/security", "they come back to the very page"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_from_sign_up_to_sign_out(seat: Seat, site: Server, scripts: bool) -> None:
    """Sign up, prove the address, sign in thrice, end one session and all others, sign out; scripts change nothing."""
    people = [
        await seat(java_script_enabled=scripts),
        await seat(java_script_enabled=scripts, user_agent=FIREFOX),
        await seat(java_script_enabled=scripts),
    ]
    first, second, third = people
    await _journey(first, second, third, site, f"journey-{scripts}@example.com")


async def test_the_same_on_postgresql(seat: Seat, postgres_site: Server) -> None:
    """The main journey holds on PostgreSQL."""
    first = await seat(postgres_site)
    second = await seat(postgres_site, user_agent=FIREFOX)
    await _journey(first, second, await seat(postgres_site), postgres_site, "journey@example.com")


async def test_the_code_instead_of_the_link(seat: Seat, site: Server) -> None:
    """On the page that waits, the code from the mail proves the address; pasted with a gap it is the same code."""
    email = "code@example.com"
    person = await seat()
    await person.sign_up(email)
    code = await code_for(site, email)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    await person.fill("6-digit code", wrong)
    await person.press("Confirm")
    assert "This code does not work." in await person.text()
    assert email in await person.text(), "nobody types the address twice"
    await person.fill("6-digit code", f" {code[:3]} {code[3:]} ")
    assert await person.page.get_by_label("6-digit code").input_value() == code
    await person.press("Confirm")
    assert await person.heading() == "Your address is confirmed"
    await person.press("Sign in", role="link")
    await person.sign_in(email)
    assert person.path == "/account"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_a_spent_link_is_one_button_from_a_new_one(seat: Seat, site: Server, scripts: bool) -> None:
    """The browser that asked has its address in the field already; the new mail's link works."""
    email = f"spent-{scripts}@example.com"
    person = await seat(java_script_enabled=scripts)
    await person.sign_up(email)
    old = await link_token(site, email)
    await person.press("Send it again")
    assert "We have sent another mail." in await person.text()
    await mail_to(site, email, count=2)
    await person.open(f"/verify?token={old}")
    await person.press("Confirm my address")
    assert await person.heading() == "This link does not work any more"
    await person.press("Send me a new mail")
    assert await person.heading() == "Check your mail"
    await person.open(f"/verify?token={await link_token(site, email, count=3)}")
    await person.press("Confirm my address")
    assert await person.heading() == "Your address is confirmed"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_a_wrong_password(seat: Seat, site: Server, scripts: bool) -> None:
    """The mistake is said on top and takes the focus, the address stays, the password does not, and Tab goes on."""
    email = f"wrong-{scripts}@example.com"
    await account(site, email)
    person = await seat(java_script_enabled=scripts)
    await person.sign_in(email, "not my password")
    assert person.path == "/login"
    alert = person.page.get_by_role("alert")
    assert await alert.inner_text() == "The e-mail address or the password is wrong."
    if scripts:
        await person.page.wait_for_function("document.activeElement.id === 'problems'")
    assert await person.focused() == "problems"
    assert await person.page.get_by_label("E-mail address").input_value() == email
    assert await person.page.get_by_label("Password", exact=True).input_value() == ""
    await person.page.keyboard.press("Tab")
    assert await person.focused() == "identifier"
    await person.fill("Password", PASSWORD)
    await person.press("Sign in")
    assert person.path == "/account"


async def test_a_mistake_stands_beside_its_field(seat: Seat) -> None:
    """The summary links to the field, whose own message says what is wrong and is read out with it."""
    person = await seat()
    await person.sign_up("no address", name="Anna", password="short")
    assert (await person.page.title()).startswith("Error: ")
    assert await person.page.get_by_label("Your name (optional)").input_value() == "Anna"
    for name in ("email", "password"):
        field = person.page.locator(f"#{name}")
        problem = person.page.locator(f"#{name}-problem")
        words = await problem.inner_text()
        assert words
        assert words in await field.evaluate(
            "field => field.ariaDescribedByElements.map(one => one.innerText).join(' ')"
        )
        below, left = await field.bounding_box(), await problem.bounding_box()
        assert below is not None
        assert left is not None
        assert 0 <= left["y"] - below["y"] - below["height"] < 60, "right under the field"
    await person.page.get_by_role("alert").get_by_role("link").last.click()
    assert await person.focused() == "password"


async def test_the_printed_link_makes_an_administrator(seat: Seat, postgres_site: Server) -> None:
    """Whoever opens the link of the first start signs in, comes back to it, and is administrator by one button."""
    email = "boss@example.com"
    await account(postgres_site, email)
    (link,) = [word for word in postgres_site.said.split() if "/claim?token=" in word]
    person = await seat(postgres_site)
    await person.open(link)
    assert person.path == "/login"
    await person.sign_in(email)
    assert (person.path, await person.heading()) == ("/claim", "Become administrator")
    await person.press("Make me administrator")
    assert await person.heading() == "You are administrator"
    await person.open(link)
    await person.press("Make me administrator")
    assert await person.heading() == "This link does not work any more"
