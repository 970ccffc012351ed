"""Signing up, proving the address and signing in, through the pages alone."""

import re
from datetime import timedelta
from pathlib import Path

from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.pages.reading import Page, Visitor, session_cookie, visitor
from tests.security.stage import drained

ANNA = "anna@example.com"


async def signed_up(kit: Kit, who: Visitor, email: str = ANNA, name: str = "Anna") -> Page:
    """Fill in the sign-up page."""
    return await who.submit(await who.open("/signup"), "/signup", email=email, name=name, password=PASSWORD)


async def signed_in(kit: Kit, who: Visitor, email: str = ANNA) -> Page:
    """Fill in the sign-in page."""
    return await who.submit(await who.open("/login"), "/login", identifier=email, password=PASSWORD)


async def test_from_nothing_to_the_account_by_link(kit: Kit) -> None:
    """Sign up, open the link, press the button, sign in: one page leads to the next."""
    anna = visitor(kit)
    check = await signed_up(kit, anna)
    assert (check.heading, check.answer.url.query) == ("Check your mail", b"")
    assert ANNA in check.text
    token, _ = await kit.verification(ANNA)
    done = await anna.submit(await anna.open(f"/verify?token={token}"), "/verify")
    assert done.heading == "Your address is confirmed"
    login = await anna.open(done.tree.one("main").one("a").attributes["href"])
    account = await anna.submit(login, "/login", identifier=ANNA, password=PASSWORD)
    assert (account.heading, account.answer.url.path) == ("Hello, Anna", "/account")
    assert session_cookie(kit, anna)


async def test_the_code_does_as_well(kit: Kit) -> None:
    """Whoever reads mails elsewhere types the code, with spaces or without."""
    anna = visitor(kit)
    check = await signed_up(kit, anna)
    _, code = await kit.verification(ANNA)
    done = await anna.submit(check, "/verify", code=f"{code[:3]} {code[3:]}")
    assert done.heading == "Your address is confirmed"
    assert (await signed_in(kit, anna)).heading == "Hello, Anna"


async def test_looking_at_the_link_spends_nothing(kit: Kit) -> None:
    """Scanners follow GET and HEAD; the link still works, once."""
    anna = visitor(kit)
    await signed_up(kit, anna)
    token, _ = await kit.verification(ANNA)
    confirm = await anna.open(f"/verify?token={token}")
    for _ in range(3):
        assert (await anna.browser.head(f"/verify?token={token}")).status_code == 200
        assert (await anna.open(f"/verify?token={token}")).heading == "Confirm your address"
    assert (await anna.submit(confirm, "/verify")).heading == "Your address is confirmed"
    spent = await anna.submit(confirm, "/verify")
    assert (spent.status, spent.heading) == (400, "This link does not work any more")
    assert len(spent.form("/verify/resend").all("button")) == 1


async def test_an_expired_link_leads_to_a_new_one(database_url: str, tmp_path: Path) -> None:
    """One field and one button, and the newest link works."""
    async with running(tmp_path, database=database_url, verify_link_lifetime="1h") as kit:
        anna, elsewhere = visitor(kit), visitor(kit)
        await signed_up(kit, anna)
        token, _ = await kit.verification(ANNA)
        await drained(kit)  # else the mail's lease ends on the turned clock, and it comes twice
        kit.clock.turn(timedelta(hours=2))
        spent = await elsewhere.submit(await elsewhere.open(f"/verify?token={token}"), "/verify")
        assert spent.status == 400
        check = await elsewhere.submit(spent, "/verify/resend", email=ANNA)
        assert check.heading == "Check your mail"
        assert "We have sent another mail." in check.text
        token, _ = await kit.verification(ANNA, count=2)
        done = await elsewhere.submit(await elsewhere.open(f"/verify?token={token}"), "/verify")
        assert done.heading == "Your address is confirmed"


async def test_a_wrong_code_keeps_the_way_open(kit: Kit) -> None:
    """The mistake stands next to the field, the address is kept, and the right code still works."""
    anna = visitor(kit)
    check = await signed_up(kit, anna)
    wrong = await anna.submit(check, "/verify", code="12345")
    assert (wrong.status, wrong.heading) == (400, "Check your mail")
    assert wrong.problem("code").startswith("This code does not work.")
    assert ANNA in wrong.text
    _, code = await kit.verification(ANNA)
    assert (await anna.submit(wrong, "/verify", code=code)).status == 200


async def test_unverified_is_one_click_from_a_new_mail(kit: Kit) -> None:
    """Told only after the right password; the button needs nothing typed."""
    anna = visitor(kit)
    await signed_up(kit, anna)
    page = await signed_in(kit, anna)
    assert (page.status, page.heading) == (403, "Confirm your address first")
    assert session_cookie(kit, anna) is None
    assert (await anna.submit(page, "/verify/resend")).heading == "Check your mail"
    await kit.verification(ANNA, count=2)
    wrong = await anna.submit(await anna.open("/login"), "/login", identifier=ANNA, password="not right")
    assert (wrong.status, wrong.heading) == (401, "Sign in")


async def test_mistakes_stand_next_to_their_fields(tmp_path: Path) -> None:
    """Everything at once, what was typed is kept, and the password never comes back."""
    async with running(tmp_path, password_preset="composition12") as kit:
        anna = visitor(kit)
        page = await anna.submit(
            await anna.open("/signup"), "/signup", email="nonsense", name="An", password="kurz"
        )
        assert page.status == 422
        assert page.title.startswith("Error: ")
        assert page.problem("email") == "Enter an e-mail address such as name@example.com."
        assert page.problem("password") == (
            "Use at least 12 characters. Add an upper-case letter. Add a digit. "
            "Add a symbol, such as a punctuation mark or a space."
        )
        summary = page.tree.one(role="alert")
        assert {link.attributes["href"] for link in summary.all("a")} == {"#email", "#password"}
        assert "autofocus" in summary.attributes
        fields = {one.attributes["name"]: one.attributes for one in page.form("/signup").all("input")}
        assert (fields["email"]["value"], fields["name"]["value"]) == ("nonsense", "An")
        assert "value" not in fields["password"]
        assert "kurz" not in page.answer.text


async def test_the_rules_are_told_beforehand(tmp_path: Path) -> None:
    """Whoever chooses a password reads what it must be, next to the field and tied to it."""
    async with running(tmp_path, password_preset="composition12", password_min_length=14) as kit:
        page = await visitor(kit).open("/signup")
        field = page.tree.one("input", id="password").attributes
        hint = page.tree.one(id=field["aria-describedby"]).text
        assert "At least 14 characters" in hint
        assert "an upper-case letter, a lower-case letter, a digit and a symbol" in hint
        assert field["autocomplete"] == "new-password"


async def test_closed_registration_says_so(tmp_path: Path) -> None:
    """GET and POST answer with a page that leads to sign in, and nothing is registered."""
    async with running(tmp_path, registration_open=False) as kit:
        anna = visitor(kit)
        page = await anna.open("/signup")
        assert (page.status, page.heading) == (403, "Sign-up is closed")
        body = {"email": ANNA, "password": PASSWORD}
        assert Page(await anna.browser.post("/signup", data=body)).status == 403
        assert (await signed_in(kit, anna)).status == 401


async def test_wrong_sign_ins_look_alike(kit: Kit) -> None:
    """Unknown address, wrong password: the same page but for what was typed and the nonce."""
    await kit.signed_up(ANNA)
    pages = []
    for identifier in (ANNA, "nobody@example.com"):
        who = visitor(kit)
        page = await who.submit(
            await who.open("/login"), "/login", identifier=identifier, password="not the one"
        )
        assert (page.status, session_cookie(kit, who)) == (401, None)
        assert "The e-mail address or the password is wrong." in page.tree.one(role="alert").text
        pages.append(_comparable(page, identifier))
    assert pages[0] == pages[1]


async def test_signing_up_and_resending_look_alike(kit: Kit) -> None:
    """New, unproven or taken: the same pages, step by step."""
    await kit.signed_up("taken@example.com")
    await signed_up(kit, visitor(kit), "waiting@example.com")
    seen = []
    for email in ("fresh@example.com", "waiting@example.com", "taken@example.com"):
        who = visitor(kit)
        check = await signed_up(kit, who, email)
        wrong = await who.submit(check, "/verify", code="99999")
        again = await who.submit(check, "/verify/resend")
        seen.append([_comparable(page, email) for page in (check, wrong, again)])
    assert seen[0] == seen[1] == seen[2]


def _comparable(page: Page, typed: str) -> tuple[object, ...]:
    html = page.answer.text.replace(typed, "TYPED")
    html = re.sub(r'nonce="[^"]+"', "nonce", html)
    own = {"x-request-id", "content-security-policy", "content-length", "ratelimit"}
    headers = {name: value for name, value in page.answer.headers.items() if name not in own}
    return page.status, html, headers


async def test_whoever_is_signed_in_goes_on(kit: Kit) -> None:
    """Sign-in and sign-up pages are not shown to those who are in already."""
    await kit.signed_up(ANNA)
    anna = visitor(kit)
    await signed_in(kit, anna)
    for path, target in (
        ("/login", "/account"),
        ("/signup", "/account"),
        ("/login?next=/account/security", None),
    ):
        answer = await anna.browser.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, target or "/account/security")


async def test_remember_me_keeps_the_cookie(kit: Kit) -> None:
    """Unticked the cookie ends with the browser; ticked it stays as long as the session lives."""
    await kit.signed_up(ANNA)
    cookie = kit.engine.app.edge.cookies.session
    ages = []
    for typed in ({}, {"remember": "on"}):
        who = visitor(kit)
        answer = await who.send(
            await who.open("/login"), "/login", identifier=ANNA, password=PASSWORD, **typed
        )
        (header,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith(f"{cookie}=")]
        ages.append("Max-Age=2592000" in header)
    assert ages == [False, True]


async def test_the_way_on_survives_signing_up(kit: Kit) -> None:
    """Whoever came for a page ends there, although signing up and a mail lie between."""
    anna = visitor(kit)
    login = await anna.open("/account/security")
    assert login.answer.url.path == "/login"
    (signup,) = [link for link in login.tree.all("a") if link.attributes["href"].startswith("/signup")]
    page = await anna.open(signup.attributes["href"])
    check = await anna.submit(page, "/signup", email=ANNA, password=PASSWORD)
    _, code = await kit.verification(ANNA)
    done = await anna.submit(check, "/verify", code=code)
    login = await anna.open(done.tree.one("main").one("a").attributes["href"])
    security = await anna.submit(login, "/login", identifier=ANNA, password=PASSWORD)
    assert (security.heading, security.answer.url.path) == ("Security", "/account/security")


INCOMPLETE: list[tuple[str, dict[str, str], set[str]]] = [
    ("/signup", {}, {"email", "password"}),
    ("/login", {}, {"identifier", "password"}),
    ("/verify", {}, {"email", "code"}),
    ("/verify/resend", {}, {"email"}),
    (
        "/signup",
        {"email": "a" * 400 + "@example.com", "name": "n" * 300, "password": PASSWORD},
        {"email", "name"},
    ),
]


async def test_empty_and_endless_forms_are_answered(tmp_path: Path) -> None:
    """Nothing, or too much: the page comes back and says where."""
    async with running(tmp_path) as kit:
        for path, fields, blamed in INCOMPLETE:
            page = Page(await kit.browser().post(path, data=fields))
            assert page.status == 422
            assert {one.attributes["id"] for one in page.tree.all("input", aria_invalid="true")} == blamed
