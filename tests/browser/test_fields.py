"""What password managers and people at the fields see: tokens, showing and hiding, the strength meter."""

import pytest

from ostiary.testing.kit import PASSWORD
from tests.browser.conftest import Seat

# As Chromium understands the attributes: an unknown token would read as "".
TOKENS = {
    "/signup": {"name": "name", "email": "email", "password": "new-password"},
    "/login": {"identifier": "username", "password": "current-password", "remember": ""},
    "/signup/check": {"email": "email", "code": "one-time-code"},
    "/verify/resend": {"email": "email"},
}


@pytest.mark.parametrize("path", TOKENS)
async def test_managers_know_the_fields(seat: Seat, path: str) -> None:
    """Chromium reads the tokens that managers look for, and takes what is pasted into every field."""
    person = await seat(permissions=["clipboard-read", "clipboard-write"])
    await person.open(path)
    fields = person.page.locator("main input:not([type=hidden])")
    seen = await fields.evaluate_all(
        "all => Object.fromEntries(all.map((one) => [one.id, one.autocomplete]))"
    )
    assert seen == TOKENS[path]
    await person.page.evaluate("navigator.clipboard.writeText('123456')")
    for field in await fields.all():
        if await field.get_attribute("type") != "checkbox":
            await field.focus()
            await person.page.keyboard.press("Control+V")
            assert await field.input_value() == "123456"


async def test_a_password_can_be_shown(seat: Seat) -> None:
    """The button says what it does, before and after; what is sent is a password again."""
    person = await seat()
    await person.open("/login")
    field = person.page.get_by_label("Password", exact=True)
    await field.fill("wrong")
    assert await field.get_attribute("type") == "password"
    await person.page.get_by_role("button", name="Show password", exact=True).click()
    assert await field.get_attribute("type") == "text"
    hide = person.page.get_by_role("button", name="Hide password", exact=True)
    assert await hide.inner_text() == "Hide"
    assert await person.focused() in ("Hide", "Hide password"), "the new name is read out where the focus is"
    assert await field.input_value() == "wrong"
    await person.fill("E-mail address", "nobody@example.com")
    await field.evaluate(
        "field => field.form.addEventListener('submit', (event) => { event.preventDefault(); })"
    )
    await person.page.get_by_role("button", name="Sign in").click()
    assert await field.get_attribute("type") == "password"


async def test_the_meter_moves(seat: Seat) -> None:
    """It appears with the first letter, grows with the password, is read out politely, and goes when all is gone."""
    person = await seat()
    await person.open("/signup")
    field = person.page.get_by_label("Password", exact=True)
    meter = person.page.locator("[data-strength]")
    status = meter.get_by_role("status")
    assert not await meter.is_visible()
    seen: list[int] = []
    for typed, words in (
        ("password", "very easy to guess"), ("harbour 17", "easy to guess"), (PASSWORD, "very good"),
    ):  # fmt: skip
        await field.fill(typed)
        await status.get_by_text(f"Strength: {words}", exact=True).wait_for()
        seen.append(int(await meter.get_attribute("data-grade") or ""))
    assert seen == sorted(set(seen))
    bars = await meter.locator("i").evaluate_all(
        "all => all.map((one) => getComputedStyle(one).backgroundColor)"
    )
    assert len(bars) == 4
    assert len(set(bars)) == 1
    await field.fill("")
    assert not await meter.is_visible()


async def test_the_meter_knows_who_types(seat: Seat) -> None:
    """A password made of the address is weaker than the same letters for somebody else."""
    person = await seat()
    await person.open("/signup")
    grades = []
    for email in ("noa@example.com", "valentina.moreau@example.com"):
        await person.fill("E-mail address", email)
        await person.fill("Password", "valentina moreau")
        grades.append(int(await person.page.locator("[data-strength]").get_attribute("data-grade") or ""))
    assert grades[0] > grades[1]


@pytest.mark.parametrize("path", ["/signup", "/login"])
async def test_without_scripts_there_is_nothing_dead(seat: Seat, path: str) -> None:
    """No button and no meter that would not do anything."""
    person = await seat(java_script_enabled=False)
    await person.open(path)
    assert await person.page.get_by_role("main").get_by_role("button").count() == 1
    for part in await person.page.locator("[data-peek], [data-strength]").all():
        assert not await part.is_visible()


async def test_one_click_is_one_submission(seat: Seat) -> None:
    """A double click on the button sends the form once."""
    person = await seat()
    sent: list[str] = []
    person.context.on("request", lambda one: sent.append(one.url) if one.method == "POST" else None)
    await person.open("/signup")
    await person.fill("E-mail address", "twice@example.com")
    await person.fill("Password", PASSWORD)
    async with person.page.expect_event("load"):
        await person.page.get_by_role("button", name="Create account").dblclick()
    assert await person.heading() == "Check your mail"
    assert len(sent) == 1
