"""Signing up and in with nothing but a keyboard: Tab, Enter, and a focus that can be seen."""

import pytest

from ostiary.testing.kit import PASSWORD
from tests.browser.conftest import Seat
from tests.browser.person import Person, account, link_token
from tests.support.server import Server

MOST_STOPS = 40
_STOP = """() => {
  const one = document.activeElement;
  if (one === document.body || !one) return null;
  const style = getComputedStyle(one), box = one.getBoundingClientRect();
  return {
    name: one.id || one.getAttribute("aria-label") || one.innerText.trim(),
    outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
    colour: style.outlineColor,
    seen: box.width > 0 && box.top >= 0 && box.left >= 0 && box.bottom <= innerHeight && box.right <= innerWidth,
  };
}"""


async def _tab(person: Person, key: str = "Tab") -> str | None:
    """Press Tab; where the focus is now, and it can be seen there. None when it has left the page."""
    await person.page.keyboard.press(key)
    stop = await person.page.evaluate(_STOP)
    if stop is None:
        return None
    assert stop["seen"], stop
    assert stop["outline"] >= 2, stop
    assert not stop["colour"].endswith(" 0)"), stop
    name: str = stop["name"]
    return name


async def _round(person: Person) -> list[str]:
    """Every stop until the focus leaves the page."""
    stops: list[str] = []
    while (name := await _tab(person)) is not None:
        stops.append(name)
        assert len(stops) < MOST_STOPS, stops
    return stops


async def _until(person: Person, name: str) -> None:
    """Press Tab until the focus is there."""
    while await _tab(person) != name:
        pass


async def _enter(person: Person) -> None:
    async with person.page.expect_event("load"):
        await person.page.keyboard.press("Enter")


async def test_signing_up_and_in(seat: Seat, site: Server) -> None:
    """Fields in reading order, every stop visible, Enter sends; through the mail's link into the account and out."""
    email = "keyboard@example.com"
    person = await seat()
    type_in = person.page.keyboard.type
    await person.open("/signup")
    await _until(person, "name")
    await type_in("Anna")
    assert await _tab(person) == "email"
    await type_in(email)
    assert await _tab(person) == "password"
    await type_in(PASSWORD)
    assert await _tab(person) == "Show password"
    assert await _tab(person) == "Create account"
    await _enter(person)
    assert await person.heading() == "Check your mail"
    await person.open(f"/verify?token={await link_token(site, email)}")
    await _until(person, "Confirm my address")
    await _enter(person)
    await _until(person, "Sign in")
    await _enter(person)
    await _until(person, "identifier")
    await type_in(email)
    assert await _tab(person) == "password"
    await type_in(PASSWORD)
    assert await _tab(person) == "Show password"
    assert await _tab(person) == "remember"
    await person.page.keyboard.press("Space")
    assert await person.page.get_by_role("checkbox").is_checked()
    assert await _tab(person) == "Sign in"
    await _enter(person)
    assert person.path == "/account"
    await _until(person, "Sign out")
    await _enter(person)
    assert person.path == "/login"


async def test_a_mistake_is_where_the_keyboard_is(seat: Seat) -> None:
    """Enter in a field sends the form; the summary has the focus, and its first link leads to the field."""
    person = await seat()
    await person.open("/login")
    await _until(person, "identifier")
    await _enter(person)
    await person.page.wait_for_function("document.activeElement.id === 'problems'")
    assert await _tab(person) == "Enter your e-mail address."
    await person.page.keyboard.press("Enter")
    assert await person.focused() == "identifier"


@pytest.mark.parametrize("path", ["/login", "/signup", "/signup/check", "/account", "/account/sessions"])
async def test_nobody_is_trapped(seat: Seat, site: Server, path: str) -> None:
    """Tab passes each stop once, leaves, and Shift+Tab comes back the same way."""
    email = f"trapped{path.replace('/', '-')}@example.com"
    await account(site, email)
    person = await seat(viewport={"width": 360, "height": 1400})
    if path.startswith("/account"):
        await person.sign_in(email)
    await person.open(path)
    there = await _round(person)
    assert there[0] == "Skip to content"
    shown = person.page.locator("a[href], button, input:not([type=hidden])")
    assert len(there) == await shown.count()
    assert [await _tab(person, "Shift+Tab") for _ in there] == there[::-1]


@pytest.mark.parametrize("path", ["/login", "/account"])
async def test_the_skip_link_skips(seat: Seat, site: Server, path: str) -> None:
    """It shows itself when it has the focus, and Enter puts the next Tab into the main part."""
    email = f"skip{path.replace('/', '-')}@example.com"
    await account(site, email)
    person = await seat()
    await person.sign_in(email) if path == "/account" else await person.open(path)
    link = person.page.get_by_role("link", name="Skip to content")
    hidden = await link.bounding_box()
    assert hidden is not None
    assert hidden["y"] + hidden["height"] <= 0
    assert await _tab(person) == "Skip to content"
    await person.page.keyboard.press("Enter")
    assert await person.focused() == "main"
    await person.page.keyboard.press("Tab")
    assert await person.page.evaluate("document.querySelector('main').contains(document.activeElement)")
