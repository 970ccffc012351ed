"""The pages of a forgotten and of a changed password, as a browser without scripts walks them."""

from datetime import timedelta
from pathlib import Path

import pytest

from ostiary.core.change import Change
from ostiary.testing import Kit
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import account_id, changed
from tests.features.password.stage import ANNA, NEW, NEWER, WRONG, link, signs_in
from tests.pages.reading import OWN_FORM, Page, Visitor, session_cookie, visitor
from tests.security.stage import REMOVE_PASSWORD, still


async def signed_in(kit: Kit, **given: object) -> Visitor:
    """Somebody who signed in through the page."""
    who = visitor(kit, **given)
    await who.submit(await who.open("/login"), "/login", identifier=ANNA, password=PASSWORD)
    return who


async def test_from_the_sign_in_page_to_a_new_password(kit: Kit) -> None:
    """Forgot, mail, new password, sign in; the address stands on the pages, the token never stays in an address."""
    await kit.signed_up(ANNA, name="Anna")
    old = await signed_in(kit)
    anna = visitor(kit)
    login = await anna.open("/login")
    (way,) = [a for a in login.tree.all("a") if a.text == "Forgot your password?"]
    recover = await anna.open(way.attributes["href"])
    assert (recover.answer.url.path, recover.heading) == ("/recover", "Forgot your password?")
    sent = await anna.submit(recover, "/recover", email=ANNA)
    assert (sent.answer.url.path, sent.heading) == ("/recover/sent", "Look into your mail")
    assert ANNA in sent.text
    assert ANNA not in str(sent.answer.url)
    target = (await kit.mail_to(ANNA, count=2))["links"][0].removeprefix(kit.base_url)
    token = target.partition("?token=")[2]
    reset = await anna.open(target)
    assert (str(reset.answer.url), reset.heading) == (
        f"{kit.base_url}/recover/reset",
        "Choose a new password",
    )
    assert f"For the account of {ANNA}" in reset.text
    assert reset.tree.one("input", name="username").attributes["value"] == ANNA
    assert "None of your last 5 passwords." in reset.text
    poor = await anna.submit(reset, "/recover/reset", new_password="short")
    assert poor.status == 422
    assert poor.problem("new_password") == "Use at least 12 characters."
    assert "short" not in poor.answer.text.partition("<form")[2].partition("</form>")[0]
    again = await anna.submit(poor, "/recover/reset", new_password=PASSWORD)
    assert again.problem("new_password") == "Choose one that you have not used here before."
    done = await anna.submit(again, "/recover/reset", new_password=NEW)
    assert (done.answer.url.path, done.heading) == ("/recover/done", "Your password is changed")
    assert session_cookie(kit, anna) is None
    assert token not in done.answer.text
    assert (await old.open("/account")).heading == "Sign in"
    account = await anna.submit(await anna.open("/login"), "/login", identifier=ANNA, password=NEW)
    assert account.heading == "Hello, Anna"
    spent = await anna.open(target)
    assert (spent.status, spent.heading) == (400, "This link does not work any more")
    spent.form("/recover")


async def test_the_token_travels_sealed(kit: Kit) -> None:
    """Following the link sets one sealed cookie that scripts cannot read, and answers without the token."""
    await kit.signed_up(ANNA)
    token = await link(kit)
    answer = await visitor(kit).browser.get(f"/recover/reset?token={token}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/recover/reset")
    assert answer.headers["referrer-policy"] == "no-referrer"
    (cookie,) = answer.headers.get_list("set-cookie")
    assert cookie.startswith("__Host-ostiary-note=")
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
    assert token not in cookie


@pytest.mark.parametrize(
    "target", ["/recover/reset", "/recover/reset?token=nonsense", "/recover/reset?token="]
)
async def test_a_link_that_is_none(kit: Kit, target: str) -> None:
    """It says so before anybody has typed a new password, and offers a new mail."""
    page = await visitor(kit).open(target)
    assert (page.status, page.heading) == (400, "This link does not work any more")
    page.form("/recover")


async def test_somebody_was_faster(kit: Kit) -> None:
    """A form that was open while the link was used elsewhere sets nothing."""
    await kit.signed_up(ANNA)
    token = await link(kit)
    first, second = visitor(kit), visitor(kit)
    pages = [await who.open(f"/recover/reset?token={token}") for who in (first, second)]
    await first.submit(pages[0], "/recover/reset", new_password=NEW)
    late = await second.submit(pages[1], "/recover/reset", new_password=NEWER)
    assert (late.status, late.heading) == (400, "This link does not work any more")
    assert await signs_in(kit, NEWER) == 401


async def test_what_is_wrong_with_an_address(kit: Kit) -> None:
    """Nothing typed, and what is no address, are said next to the field, which keeps what was typed."""
    who = visitor(kit)
    recover = await who.open("/recover")
    for typed, problem in (("", "Enter your e-mail address."), ("anna", "Enter an e-mail address such as")):
        page = await who.submit(recover, "/recover", email=typed)
        assert page.status == 422
        assert page.problem("email").startswith(problem)
        assert page.tree.one("input", id="email").attributes["value"] == typed


async def test_too_many_requests_are_a_page(database_url: str, tmp_path: Path) -> None:
    """A network's limit says when to come back, and not whether the address is known."""
    async with still(tmp_path, database=database_url) as kit:
        who = visitor(kit)
        recover = await who.open("/recover")
        for number in range(30):
            await who.send(recover, "/recover", email=f"x{number}@example.com")
        page = await who.submit(recover, "/recover", email=ANNA)
        assert (page.status, page.heading) == (429, "Too many tries")
        assert "Try again in 1 hour." in page.text


async def test_changing_it_within_minutes(kit: Kit) -> None:
    """From the security page: one field, and back there with a notice; this browser stays signed in, others not."""
    await kit.signed_up(ANNA)
    anna, other = await signed_in(kit), await signed_in(kit)
    security = await anna.open("/account/security")
    (way,) = [a for a in security.tree.one("main").all("a") if a.text == "Change it"]
    page = await anna.open(way.attributes["href"])
    assert page.heading == "Change your password"
    assert "None of your last 5 passwords." in page.text
    assert [
        one.attributes["name"] for one in page.form("/account/password").all("input", type="password")
    ] == ["new_password"]
    before = session_cookie(kit, anna)
    after = await anna.submit(page, "/account/password", new_password=NEW)
    assert after.answer.url.path == "/account/security"
    assert "Your password is changed. All other devices are signed out." in after.text
    assert session_cookie(kit, anna) != before
    assert (await other.open("/account")).heading == "Sign in"
    out = await anna.submit(await anna.open("/logout"), "/logout")
    assert out.heading == "Sign in", "forms of the new session work"


async def test_changing_it_later(kit: Kit) -> None:
    """The current password is asked for; a wrong one is said next to its field, and so is a poor new one."""
    await kit.signed_up(ANNA)
    anna = await signed_in(kit)
    kit.clock.turn(timedelta(minutes=16))
    page = await anna.open("/account/password")
    fields = page.form("/account/password").all("input", type="password")
    assert [(one.attributes["name"], one.attributes["autocomplete"]) for one in fields] == [
        ("current_password", "current-password"),
        ("new_password", "new-password"),
    ]
    empty = await anna.submit(page, "/account/password")
    assert empty.problem("current_password") == "Enter your current password."
    wrong = await anna.submit(page, "/account/password", current_password=WRONG, new_password=NEW)
    assert (wrong.status, wrong.answer.url.path) == (401, "/account/password")
    assert wrong.problem("current_password") == "This is not your current password."
    assert session_cookie(kit, anna) is not None
    poor = await anna.submit(wrong, "/account/password", current_password=PASSWORD, new_password="short")
    assert (poor.status, poor.problem("new_password")) == (422, "Use at least 12 characters.")
    after = await anna.submit(poor, "/account/password", current_password=PASSWORD, new_password=NEW)
    assert after.answer.url.path == "/account/security"
    assert await signs_in(kit, NEW) == 200


async def test_who_typed_for_too_long_is_asked_for_the_current_one(kit: Kit) -> None:
    """A form that was opened within minutes and sent later does not pass as fresh."""
    await kit.signed_up(ANNA)
    anna = await signed_in(kit)
    page = await anna.open("/account/password")
    kit.clock.turn(timedelta(minutes=16))
    late = await anna.submit(page, "/account/password", new_password=NEW)
    assert late.status == 422
    assert late.problem("current_password") == "Enter your current password."
    assert await signs_in(kit, NEW) == 401


async def test_the_first_password(kit: Kit) -> None:
    """Without one the page offers to set it, after a fresh sign-in; the security page says that there is none."""
    await kit.signed_up(ANNA)
    anna = await signed_in(kit)
    owner = await account_id(kit, ANNA)

    async def work(change: Change) -> None:
        await change.run(REMOVE_PASSWORD, account_id=owner)

    await changed(kit, work)
    assert "None · Set one" in (await anna.open("/account/security")).text
    page = await anna.open("/account/password")
    assert page.heading == "Set a password"
    assert "your last" not in page.text
    kit.clock.turn(timedelta(minutes=16))
    again = await anna.open("/account/password")
    assert (again.answer.url.path, again.heading) == ("/login", "Sign in again")
    assert again.answer.url.params["next"] == "/account/password"
    late = await anna.submit(page, "/account/password", new_password=NEW)
    assert late.heading == "Sign in again"
    assert await signs_in(kit, NEW) == 401


async def test_a_form_without_its_token_changes_nothing(kit: Kit) -> None:
    """The forms of both pages are refused without the session's token, and from elsewhere (E3)."""
    await kit.signed_up(ANNA)
    token = await link(kit)
    anna = await signed_in(kit)
    for path, data in (
        ("/account/password", {"new_password": NEW}),
        ("/recover/reset", {"token": token, "new_password": NEW}),
        ("/recover", {"email": ANNA}),
    ):
        page = Page(await anna.browser.post(path, data=data, headers=OWN_FORM))
        assert (page.status, page.heading) == (403, "Please try that again")
        away = Page(
            await visitor(kit).browser.post(path, data=data, headers={"origin": "https://evil.example"})
        )
        assert (away.status, away.heading) == (403, "Please try that again")
    assert await signs_in(kit, NEW) == 401
