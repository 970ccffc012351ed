"""Refusals as pages: what happened, when to try again, whom to ask, and a way on."""

from pathlib import Path

from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.pages.reading import OWN_FORM, Page, visitor

ANNA = "anna@example.com"


ELSEWHERE: list[dict[str, str]] = [
    {"origin": "https://evil.example"},
    {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    {"origin": "null"},
    {"origin": "null", "sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "https://auth.example.test.evil.example"},
]


async def test_forms_of_other_sites_are_refused(tmp_path: Path) -> None:
    """Not even a sign-in or sign-up can be sent from elsewhere (E3); the page leads to the real form."""
    async with running(tmp_path) as kit:
        await kit.signed_up(ANNA)
        who = kit.browser(sends_csrf=False)
        body = {"identifier": ANNA, "email": ANNA, "password": PASSWORD}
        for path in ("/login", "/signup", "/verify/resend"):
            for headers in ELSEWHERE:
                page = Page(await who.post(path, data=body, headers=headers))
                assert (page.status, page.heading) == (403, "Please try that again"), headers
                assert page.tree.one("a", class_="button").attributes["href"] == path
        assert not who.cookies


async def test_a_form_without_its_token_changes_nothing(kit: Kit) -> None:
    """With a live session, own-origin is not enough: missing, foreign and stale tokens are refused."""
    await kit.signed_up(ANNA)
    anna, other = visitor(kit), visitor(kit)
    for who in (anna, other):
        await who.submit(await who.open("/login"), "/login", identifier=ANNA, password=PASSWORD)
    foreign = (await other.open("/account")).tree.all("input", name="csrf_token")[0].attributes["value"]
    for data in ({}, {"csrf_token": ""}, {"csrf_token": foreign}, {"csrf_token": "nonsense"}):
        page = Page(await anna.browser.post("/logout", data=data, headers=OWN_FORM))
        assert (page.status, page.heading) == (403, "Please try that again")
    assert (await anna.open("/account")).heading == "Your account"


async def test_too_many_tries_say_when_to_come_back(kit: Kit) -> None:
    """429 with `Retry-After`, in words on the page, the same for an address that nobody has."""
    await kit.signed_up(ANNA)
    seen = []
    for identifier in (ANNA, "nobody@example.com"):
        who = visitor(kit)
        login = await who.open("/login")
        page = login
        for _ in range(6):
            page = await who.submit(login, "/login", identifier=identifier, password="not the one")
        assert (page.status, page.heading) == (429, "Too many tries")
        assert 0 < int(page.answer.headers["retry-after"]) <= 60
        assert "Try again in 1 minute." in page.text or " seconds." in page.text
        assert page.tree.one("a", class_="button").attributes["href"] == "/login"
        seen.append(page.text.partition("Try again")[0])
    assert seen[0] == seen[1]


async def test_too_many_mails_say_so(tmp_path: Path) -> None:
    """A network's limit on mails is a page as well, whoever is asked about."""
    async with running(tmp_path, resend_per_network="2/1h") as kit:
        who = visitor(kit)
        page = ask = await who.open("/verify/resend")
        for _ in range(3):
            page = await who.submit(ask, "/verify/resend", email="x@example.com")
        assert (page.status, page.heading) == (429, "Too many tries")
        assert "Try again in 1 hour." in page.text


async def test_when_the_database_is_gone_the_page_says_so(tmp_path: Path) -> None:
    """503 with `Retry-After`: come back soon. Pages that need nothing are still shown."""
    async with running(tmp_path) as kit:
        await kit.signed_up(ANNA)
        who = visitor(kit)
        login = await who.open("/login")
        await kit.engine.core.database.close()
        page = await who.submit(login, "/login", identifier=ANNA, password=PASSWORD)
        assert (page.status, page.heading) == (503, "We will be right back")
        assert "retry-after" in page.answer.headers
        assert page.tree.one("code").text == page.answer.headers["x-request-id"]
        assert (await visitor(kit).open("/login")).heading == "Sign in"


FORM = "application/x-www-form-urlencoded"
BROKEN = [
    (b'{"identifier": "anna"}', "application/json", 415),
    (b"identifier=%ff", FORM, 400),
    (b"identifier=%00", FORM, 422),
    (b"a" * 70_000, FORM, 413),
    (b"a=1&" * 300, FORM, 400),
]


async def test_broken_forms_are_pages_too(tmp_path: Path) -> None:
    """Whatever was sent, the answer is a page with a way back."""
    async with running(tmp_path) as kit:
        for content, kind, status in BROKEN:
            page = Page(await kit.browser().post("/login", content=content, headers={"content-type": kind}))
            assert page.status == status
            assert page.tree.one("a", class_="button").attributes["href"] == "/login"


async def test_a_field_that_comes_twice_is_nobodys(kit: Kit) -> None:
    """Of two identifiers neither is believed."""
    await kit.signed_up(ANNA)
    content = f"identifier={ANNA}&identifier=b@example.com&password={PASSWORD.replace(' ', '+')}"
    answer = await kit.browser().post(
        "/login", content=content, headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert Page(answer).problem("identifier") == "Enter your e-mail address."
