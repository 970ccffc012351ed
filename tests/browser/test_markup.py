"""What people call themselves, and their browsers, stays text on every page that shows it (L26)."""

import pytest

from tests.browser.conftest import Seat
from tests.browser.person import Person, account
from tests.support.server import Server

NAMES = {
    "script": "<script>alert(1)</script>",
    "attribute": '"><img src=x onerror="window.hit=1;alert(1)">',
    "svg": "</title></h1></dd><svg onload=alert(1)><a href=javascript:alert(1)>x</a>",
    "template": "{{7*7}}${7*7}<%= 7*7 %>",
    "entity": "&lt;img src=x onerror=alert(1)&gt;&quot;",
}
_BUILT = """() => [...document.querySelectorAll("script, img, svg, iframe, a, style, [onerror], [onload]")].filter(
  (one) => one.matches("img, iframe, style, [onerror], [onload], a[href^='javascript']")
    || (one.matches("script") && !one.src.includes("/assets/"))
    || (one.matches("svg") && !one.closest(".brand, .figure"))).map((one) => one.outerHTML)"""


async def _is_text(person: Person, words: str) -> None:
    assert await person.page.evaluate(_BUILT) == []
    assert await person.page.evaluate("window.hit") is None
    assert words in await person.text()
    assert "49" not in await person.text()


@pytest.mark.parametrize("kind", NAMES)
async def test_a_name_is_text(seat: Seat, site: Server, kind: str) -> None:
    """On the overview nothing is built of it and nothing runs; it reads as it was typed."""
    email, name = f"{kind}@example.com", NAMES[kind]
    await account(site, email, name=name)
    person = await seat()
    await person.sign_in(email)
    assert await person.heading() == f"Hello, {name}"
    await _is_text(person, name)
    for path in ("/account/security", "/account/sessions", "/logout"):
        await person.open(path)
        assert await person.page.evaluate(_BUILT) == []


async def test_what_was_typed_comes_back_as_text(seat: Seat) -> None:
    """A refused form shows the same words in the same field, and nothing more."""
    person = await seat()
    for words in NAMES.values():
        await person.sign_up(words, name=words, password="short")
        assert await person.page.get_by_label("Your name (optional)").input_value() == words
        assert await person.page.get_by_label("E-mail address").input_value() == words
        assert await person.page.evaluate(_BUILT) == []
        await person.open("/login")
        await person.sign_in(words, "wrong")
        assert await person.page.get_by_label("E-mail address").input_value() == words
        assert await person.page.evaluate(_BUILT) == []


async def test_a_browsers_name_is_text(seat: Seat, site: Server) -> None:
    """A user agent with markup is told to its owner without being built."""
    email = "agent@example.com"
    await account(site, email)
    odd = await seat(user_agent='<img src=x onerror=alert(1)>"/1.0 (<script>alert(1)</script>)')
    await odd.sign_in(email)
    person = await seat()
    await person.sign_in(email)
    for path in ("/account", "/account/security", "/account/sessions"):
        await person.open(path)
        assert await person.page.evaluate(_BUILT) == []


async def test_the_net_would_catch_it(seat: Seat) -> None:
    """Were markup built, these tests would see it; and even then the policy would not let it run."""
    person = await seat()
    await person.open("/login")
    await person.page.evaluate(
        "words => { document.querySelector('h1').innerHTML = words; }", NAMES["attribute"]
    )
    await person.page.wait_for_timeout(200)
    assert await person.page.evaluate(_BUILT) != []
    assert await person.page.evaluate("window.hit") is None
    assert any("policy: script-src-attr" in trouble for trouble in person.troubles)
    assert not any("dialog" in trouble for trouble in person.troubles)
    person.troubles.clear()
