"""L01, L02: through the pages, too, no session exists before every factor is shown, and nothing shown gets nowhere."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ostiary.core.sessions.store import session
from ostiary.engine.features import RIBS
from ostiary.storage.statement import Query
from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.pages.reading import OWN_FORM, Page, Visitor, session_cookie, visitor
from tests.support.ribs import WordOfTheDay

ANNA = "anna@example.com"
_ALL = Query("test.pages.sessions", session.select().with_only_columns(session.c.id), str, scan=True)


@pytest.fixture
def day() -> WordOfTheDay:
    """The factor; enrol somebody by giving them a word."""
    return WordOfTheDay()


@pytest.fixture
async def kit(database_url: str, tmp_path: Path, day: WordOfTheDay) -> AsyncIterator[Kit]:
    """An engine with that factor, and somebody who is enrolled."""
    async with running(tmp_path, database=database_url, ribs=(*RIBS, day.rib)) as kit:
        anna = await kit.signed_in(ANNA)
        day.words[(await anna.get("/auth/session")).json()["user"]["id"]] = "mellow"
        await anna.post("/auth/logout")
        yield kit


async def sessions(kit: Kit) -> int:
    """How many sessions were ever begun."""
    return len(await kit.engine.core.database.all(_ALL))


async def half_way(kit: Kit) -> tuple[Visitor, Page]:
    """Somebody who has shown the password; the answer to it hands out nothing that opens a door."""
    anna = visitor(kit)
    login = await anna.open("/login?next=/account/security")
    answer = await anna.send(login, "/login", identifier=ANNA, password=PASSWORD)
    cookies = kit.engine.app.edge.cookies
    given = {header.partition("=")[0] for header in answer.headers.get_list("set-cookie")}
    assert given == {cookies.pre, cookies.note}
    page = await anna.open(answer.headers["location"])
    assert (page.heading, page.answer.url.path) == ("One more step", "/login/factor")
    return anna, page


async def test_no_session_before_the_factor(kit: Kit) -> None:
    """The password alone gives a page that asks; no cookie, no row, no account page, and every other route is shut."""
    before = await sessions(kit)
    anna, page = await half_way(kit)
    assert session_cookie(kit, anna) is None
    for path in ("/account", "/account/security", "/account/sessions"):
        assert (await anna.open(path)).heading == "Sign in"
    assert (await anna.browser.get("/auth/session")).status_code == 401
    for code in ("", "nonsense"):
        wrong = await anna.submit(page, "/login/factor", code=code)
        assert wrong.status in (401, 422)
        assert wrong.problem("code")
        assert session_cookie(kit, anna) is None
    assert await sessions(kit) == before
    done = await anna.submit(page, "/login/factor", code="mellow")
    assert (done.heading, done.answer.url.path) == ("Security", "/account/security")
    assert await sessions(kit) == before + 1


async def test_the_page_survives_looking_twice(kit: Kit) -> None:
    """Reloading and coming back do not lose the sign-in, and nothing of it stands in the address."""
    anna, page = await half_way(kit)
    assert page.answer.url.query == b""
    again = await anna.open("/login/factor")
    assert (await anna.submit(again, "/login/factor", code="mellow")).status == 200


async def test_another_browser_cannot_go_on(kit: Kit) -> None:
    """The attempt is bound to the browser that began it: elsewhere it counts for nothing."""
    _, page = await half_way(kit)
    thief = visitor(kit)
    answer = await thief.submit(page, "/login/factor", code="mellow")
    assert (answer.status, answer.heading) == (401, "Sign in")
    assert "Sign in again." in answer.text
    assert session_cookie(kit, thief) is None


async def test_an_incomplete_form_goes_nowhere(kit: Kit, day: WordOfTheDay) -> None:
    """Even if a factor accepted anything, a form with something missing begins no session (L02)."""
    day.is_careless = True
    anna, page = await half_way(kit)
    before = await sessions(kit)
    whole = {
        one.attributes["name"]: one.attributes.get("value", "")
        for one in page.form("/login/factor").all("input")
    } | {"code": "mellow"}
    for dropped in ({"attempt"}, {"factor"}, {"code"}, set(whole)):
        fields = {name: value for name, value in whole.items() if name not in dropped}
        answer = await anna.browser.post("/login/factor", data=fields, headers=OWN_FORM)
        assert answer.status_code in (401, 422)
        assert await sessions(kit) == before
        assert session_cookie(kit, anna) is None
    assert (await anna.browser.post("/login/factor", data=whole, headers=OWN_FORM)).status_code == 303


async def test_without_an_attempt_the_page_leads_to_the_beginning(kit: Kit) -> None:
    """Whoever opens the second step without the first one starts with the first one."""
    assert (await visitor(kit).open("/login/factor")).heading == "Sign in"


async def test_a_used_attempt_is_spent(kit: Kit, day: WordOfTheDay) -> None:
    """Going back and sending the form again begins no second session."""
    day.is_single_use = False
    anna, page = await half_way(kit)
    pre = kit.engine.app.edge.cookies.pre
    value = anna.browser.cookies[pre]
    await anna.submit(page, "/login/factor", code="mellow")
    before = await sessions(kit)
    other = visitor(kit, cookies={pre: value})
    answer = await other.submit(page, "/login/factor", code="mellow")
    assert (answer.status, await sessions(kit)) == (401, before)
