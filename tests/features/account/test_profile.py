"""One's own account: name and profile fields over HTTP and on the page, and nothing else that anybody could set."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ostiary.core.sessions.sessions import Sessions
from ostiary.features.account.flow import judge_began
from ostiary.kernel.principal import Principal
from ostiary.kernel.world import World
from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import changed, dump, journalled
from tests.pages.reading import Visitor, visitor

ANNA = "anna@example.com"
FIELDS = "city text 20, born number 1900..2030, news flag, plan text read-only"


@pytest.fixture
async def fielded(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine with profile fields, on each database."""
    async with running(tmp_path, database=database_url, profile_fields=FIELDS) as kit:
        yield kit


async def test_who_am_i(fielded: Kit) -> None:
    """Name, address, fields, this sign-in with its method, and the last other one (A9)."""
    await fielded.signed_up(ANNA, name="Anna")
    await fielded.sign_in(ANNA, ip="198.51.100.7")
    fielded.clock.turn(timedelta(hours=1))
    anna = await fielded.sign_in(ANNA)
    told = (await anna.get("/auth/account")).json()
    assert (told["name"], told["email"], told["email_verified"]) == ("Anna", ANNA, True)
    assert told["profile"] == {}
    assert [(one["name"], one["kind"], one["read_only"]) for one in told["fields"]] == [
        ("city", "text", False), ("born", "number", False), ("news", "flag", False), ("plan", "text", True),
    ]  # fmt: skip
    assert told["current_sign_in"] | {"at": ""} == {
        "at": "", "methods": ["pwd"], "device": "", "ip": "192.0.2.10", "place": None,
    }  # fmt: skip
    assert told["last_sign_in"]["ip"] == "198.51.100.7"


async def test_changing_name_and_fields(fielded: Kit) -> None:
    """What is mentioned changes, the rest stays, null empties; the journal says which fields, not what is in them."""
    anna = await fielded.signed_in(ANNA)
    body: dict[str, Any] = {"name": " Anna ", "profile": {"city": "Oslo", "born": 1980, "news": True}}
    told = (await anna.patch("/auth/account", json=body)).json()
    assert (told["name"], told["profile"]) == ("Anna", {"city": "Oslo", "born": 1980, "news": True})
    assert (await anna.get("/auth/session")).json()["user"]["name"] == "Anna"
    await anna.patch("/auth/account", json={"profile": {"born": None, "news": False}})
    told = (await anna.get("/auth/account")).json()
    assert (told["name"], told["profile"]) == ("Anna", {"city": "Oslo", "news": False})
    rows = [row for row in (await dump(fielded))["journal"] if "profile_changed" in row]
    assert len(rows) == 2
    assert "Oslo" not in repr(rows)
    events = len(await journalled(fielded))
    assert (await anna.patch("/auth/account", json={"profile": {"city": "Oslo"}})).status_code == 200
    assert len(await journalled(fielded)) == events, "nothing differs, so nothing is told"


@pytest.mark.parametrize(
    "body",
    [
        {"profile": {"plan": "gold"}}, {"profile": {"status": "active"}}, {"profile": {"email_verified": True}},
        {"status": "disabled"}, {"email": "other@example.com"}, {"email_verified": True}, {"id": "x"},
        {"security_epoch": 9}, {"roles": ["superadmin"]}, {"name": None, "profile": {"born": "1980"}},
        {"name": "a\u202eb"}, {"name": "x" * 201}, {"name": "a\nb"}, {"profile": {"city": "x" * 21}},
        {"profile": ["city"]}, {"profile": {"city": {"a": 1}}}, {"profile": {f"f{n}": "" for n in range(101)}},
    ],
)  # fmt: skip
async def test_nothing_else_can_be_set(fielded: Kit, body: dict[str, Any]) -> None:
    """What is not declared, read-only or does not fit is refused, and together with it all that would fit (S-E3)."""
    anna = await fielded.signed_in(ANNA)
    before = await dump(fielded, without=("throttle",))
    profile = body.get("profile")
    more = {"profile": profile | {"news": True}} if isinstance(profile, dict) else {}
    answer = await anna.patch("/auth/account", json={"name": "Mallory"} | body | more)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert await dump(fielded, without=("throttle",)) == before


async def test_two_changes_at_once_both_count(fielded: Kit) -> None:
    """Changes of different fields do not undo each other."""
    anna = await fielded.signed_in(ANNA)
    bodies = [{"profile": {"city": "Oslo"}}, {"profile": {"born": 1980}}, {"profile": {"news": True}}]
    answers = await asyncio.gather(*(anna.patch("/auth/account", json=body) for body in bodies))
    assert {answer.status_code for answer in answers} == {200}
    told = (await anna.get("/auth/account")).json()
    assert told["profile"] == {"city": "Oslo", "born": 1980, "news": True}


async def test_a_field_of_another_kind_is_not_shown(database_url: str, tmp_path: Path) -> None:
    """What was stored under an earlier declaration neither breaks the account nor is lost."""
    root = World().token().reveal()
    given: dict[str, Any] = {"database": database_url, "root_secret": root}
    async with running(tmp_path, profile_fields="a text, b number", **given) as kit:
        anna = await kit.signed_in(ANNA)
        await anna.patch("/auth/account", json={"profile": {"a": "words", "b": 1}})
    async with running(tmp_path, profile_fields="a number, b flag, c", **given) as kit:
        anna = await kit.sign_in(ANNA)
        assert (await anna.get("/auth/account")).json()["profile"] == {}
        told = await anna.patch("/auth/account", json={"profile": {"c": "new"}})
        assert told.json()["profile"] == {"c": "new"}
    async with running(tmp_path, profile_fields="a text", **given) as kit:
        anna = await kit.sign_in(ANNA)
        assert (await anna.get("/auth/account")).json()["profile"] == {"a": "words"}


async def _signed_in(kit: Kit) -> Visitor:
    await kit.signed_up(ANNA)
    anna = visitor(kit)
    await anna.submit(await anna.open("/login"), "/login", identifier=ANNA, password=PASSWORD)
    return anna


async def test_the_page_changes_the_same(fielded: Kit) -> None:
    """A form with name and each field of one's own; what only the application changes is shown without a field."""
    anna = await _signed_in(fielded)
    account_id = (await anna.browser.get("/auth/session")).json()["user"]["id"]
    page = await anna.open("/account/profile")
    names = {one.attributes["name"] for one in page.form("/account/profile").all("input")}
    assert names == {"csrf_token", "name", "profile_city", "profile_born", "profile_news"}
    after = await anna.submit(
        page, "/account/profile", name="Anna", profile_city="Oslo", profile_born="1980", profile_news="on"
    )
    assert "Your profile is saved." in after.text
    told = (await anna.browser.get("/auth/account")).json()
    assert (told["name"], told["profile"]) == ("Anna", {"city": "Oslo", "born": 1980, "news": True})
    after = await anna.submit(after, "/account/profile", profile_born="", profile_news="")
    told = (await anna.browser.get("/auth/account")).json()
    assert told["profile"] == {"city": "Oslo", "news": False}
    assert account_id == told["id"]


async def test_mistakes_stand_beside_their_fields(fielded: Kit) -> None:
    """All at once, with what was typed still there; nothing is saved."""
    anna = await _signed_in(fielded)
    page = await anna.open("/account/profile")
    wrong = await anna.submit(
        page, "/account/profile", name="a\u2028b", profile_city="x" * 21, profile_born="long ago"
    )
    assert wrong.status == 422
    assert wrong.title.startswith("Error: ")
    assert wrong.problem("name") == "Use one line of text, without control characters."
    assert wrong.problem("profile_city") == "Use at most 20 characters."
    assert wrong.problem("profile_born") == "Enter a whole number."
    assert wrong.tree.one("input", id="profile_born").attributes["value"] == "long ago"
    assert (await anna.browser.get("/auth/account")).json()["profile"] == {}


async def test_registration_reads_names_the_same_way(kit: Kit) -> None:
    """A name that the profile would refuse is refused at sign-up, together with everything else that is wrong."""
    body = {"email": "no address", "password": "short", "name": "a\u202eb"}
    answer = (await kit.browser().post("/auth/register", json=body)).json()
    assert [error["loc"] for error in answer["errors"]] == [["email"], ["name"]]
    assert answer["violations"]


async def test_a_session_with_another_id_knows_its_sign_in(fielded: Kit) -> None:
    """After a renewal this sign-in is still told from the last other one."""
    await fielded.signed_up(ANNA)
    await fielded.sign_in(ANNA, ip="198.51.100.7")
    fielded.clock.turn(timedelta(hours=1))
    anna = await fielded.sign_in(ANNA)
    cookie = fielded.engine.app.edge.cookies.session
    resolved = await fielded.engine.core.sessions.resolve(anna.cookies[cookie])
    sessions: Sessions = fielded.engine.core.sessions
    renewed = await changed(fielded, lambda change: sessions.renew(change, resolved.principal))
    assert renewed is not None
    again = fielded.browser(cookies={cookie: renewed[1].reveal()})
    told = (await again.get("/auth/account")).json()
    assert told["current_sign_in"]["ip"] == "192.0.2.10"
    assert told["last_sign_in"]["ip"] == "198.51.100.7"


def test_which_sign_in_began_a_session() -> None:
    """By its id; else the first that was noted after the proof; none when the list does not reach that far back."""
    start = World().now()
    moments = [start - timedelta(hours=hours) for hours in range(10)]
    latest = [(at, f"s{place}") for place, at in enumerate(moments)]

    def who(session_id: str, hours: float) -> Principal:
        return Principal("a", session_id, ("pwd",), "1", start - timedelta(hours=hours))

    assert judge_began(latest, who("s4", 4)) == 4
    assert judge_began(latest, who("other", 2.5)) == 2
    assert judge_began(latest, who("other", -1)) is None
    assert judge_began(latest, who("other", 20)) is None
    assert judge_began(latest[:3], who("other", 20)) == 2
    assert judge_began([], who("other", 0)) is None
