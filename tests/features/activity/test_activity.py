"""Recent activity: the journal of one account, in words, page by page, and quick however long it is."""

import asyncio
import string
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from ostiary.core.journal.store import journal
from ostiary.core.signin.door import SIGNED_IN
from ostiary.engine.features import RIBS
from ostiary.engine.wire import event_types
from ostiary.features.account.store import SIGN_INS
from ostiary.features.activity.flow import say
from ostiary.features.activity.store import BEFORE
from ostiary.kernel.events import EventType
from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import account_id, login
from tests.pages.reading import visitor
from tests.storage.shelf import plain_engine
from tests.support.plans import postgres_reads, sqlite_plan

ANNA = "anna@example.com"
PHONE = "Mozilla/5.0 (Android 14; Mobile; rv:131.0) Gecko/131.0 Firefox/131.0"

# Event types without words, and why their rows are no account owner's business.
WORDLESS = {
    "session_created": "the sign-in that began it is told",
    "rate_limit_reached": "is about a network or an address, never about an account",
    "mail_delayed": "is about the outbox",
    "mail_dead": "is about the outbox",
    "mail_requeued": "is about the outbox",
    "verification_failed": "names no account",
    "password_reset_failed": "names no account",
    "alert_failed": "names no account",
    "role_defined": "is about the deployment",
    "role_dropped": "is about the deployment",
    "api_key_refused": "names no account",
    "service_created": "a service has no owner who reads",
    "claim_issued": "is about the deployment",
    "key_rotated": "is about the deployment",
    "key_retired": "is about the deployment",
    "key_imported": "is about the deployment",
    "keyring_resealed": "is about the deployment",
    "breach_check_failed": "is about a service that did not answer",
    "geoip_file_refused": "is about the deployment",
}


def test_every_event_has_words() -> None:
    """Whoever adds an event type says what the owner reads, or here why not; who gets a mail about it reads it, too."""
    types = event_types(RIBS)
    assert {one.name for one in types if not one.words} == WORDLESS.keys()
    assert not [one.name for one in types if (one.tell_owner or one.ends_sessions) and not one.words]


@pytest.mark.parametrize(
    "event_type", [one for one in event_types(RIBS) if one.words], ids=lambda one: one.name
)
def test_words_are_a_sentence_of_declared_fields(event_type: EventType) -> None:
    """It begins and ends like one, and every brace names a field of the event."""
    assert event_type.words[0].isupper()
    assert event_type.words.endswith(".")
    named = {name for _, name, _, _ in string.Formatter().parse(event_type.words) if name is not None}
    assert named <= set(event_type.fields)
    assert say(event_type, {}), "rows of earlier versions may lack fields"


def test_an_event_in_words() -> None:
    """Methods are named as people name them, lists are joined, and braces in a value stay what they are."""
    assert say(SIGNED_IN, {"amr": ["pwd", "otp", "mfa"]}) == "Signed in with password and code."
    made = EventType("made", "For tests.", fields=("what", "by"), words="{what} by {by}.")
    assert say(made, {"what": ["a", "b"], "by": "{by} {0.__class__}"}) == "a, b by {by} {0.__class__}."


async def test_what_happened_the_latest_first(kit: Kit) -> None:
    """Sentence, moment, device and address; others' failures show, others' accounts do not."""
    await kit.signed_in("bert@example.com")
    await kit.signed_up(ANNA)
    await login(kit.browser("203.0.113.9", headers={"user-agent": PHONE}), ANNA, "wrong")
    kit.clock.turn(timedelta(minutes=5))
    anna = await kit.sign_in(ANNA)
    told = (await anna.get("/auth/account/activity")).json()
    assert told["next"] is None
    assert [one["type"] for one in told["activity"]] == [
        "sign_in_succeeded", "sign_in_failed", "email_verified",
    ]  # fmt: skip
    signed_in, failed, _ = told["activity"]
    assert signed_in["words"] == "Signed in with password."
    assert (failed["words"], failed["ip"]) == ("A sign-in failed.", "203.0.113.9")
    assert failed["device"].startswith("Firefox Mobile 131 on")
    assert failed["place"] is None


async def fill(url: str, owner: str, count: int, type_: str = "sign_in_failed", *, first: int = 0) -> None:
    """Write rows of the journal, older than anything else, straight into the table.

    Args:
        first: The number of the first row, so that two calls can stand beside each other.
    """
    rows = [
        {
            "id": f"0{number:025d}", "at": 1_000_000 * number, "type": type_, "severity": "notice", "account_id": owner,
            "ip": "192.0.2.1", "user_agent": "", "request_id": "", "data": "{}",
        }
        for number in range(first, first + count)
    ]  # fmt: skip

    def write() -> None:
        engine = plain_engine(url)
        with engine.begin() as connection:
            for start in range(0, count, 2000):
                connection.execute(sa.insert(journal), rows[start : start + 2000])
        engine.dispose()

    await asyncio.to_thread(
        write
    )  # it may have to wait for a transaction of the engine, which needs the loop


async def test_pages_follow_one_another(kit: Kit, database_url: str) -> None:
    """Every row once, none twice, none left out, although a third of them has no words; the last page has no next."""
    anna = await kit.signed_in(ANNA)
    owner = await account_id(kit, ANNA)
    await fill(database_url, owner, 95)
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(50):
        query = {"limit": "10"} | ({"cursor": cursor} if cursor else {})
        part = (await anna.get("/auth/account/activity", params=query)).json()
        assert 1 <= len(part["activity"]) <= 10
        seen += [one["id"] for one in part["activity"]]
        cursor = part["next"]
        if cursor is None:
            break
    assert cursor is None
    assert len(seen) == len(set(seen)) == 97
    assert seen == sorted(seen, reverse=True)


async def test_a_run_of_rows_without_words_is_skipped_in_bounds(kit: Kit, database_url: str) -> None:
    """A page reads a bounded number of rows; what it does not reach, the cursor leads to."""
    anna = await kit.signed_in(ANNA)
    owner = await account_id(kit, ANNA)
    await fill(database_url, owner, 300, "session_created")
    first = (await anna.get("/auth/account/activity?limit=10")).json()
    assert [one["type"] for one in first["activity"]] == ["sign_in_succeeded", "email_verified"]
    rounds, cursor = 0, first["next"]
    while cursor is not None:
        part = (await anna.get("/auth/account/activity", params={"limit": 10, "cursor": cursor})).json()
        assert part["activity"] == []
        rounds, cursor = rounds + 1, part["next"]
    assert 4 <= rounds <= 10


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "cursor=", f"cursor={'x' * 401}"])
async def test_odd_questions(kit: Kit, query: str) -> None:
    """The size of a page is bounded."""
    anna = await kit.signed_in(ANNA)
    answer = await anna.get(f"/auth/account/activity?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("own", "others"), [(30_000, 0), (30, 30_000), pytest.param(30, 300_000, marks=pytest.mark.slow)]
)
async def test_it_reads_what_it_shows_however_long_the_journal_is(
    kit: Kit, database_url: str, own: int, others: int
) -> None:
    """Among tens of thousands of rows, of whomever, a page reads by index and no more than it shows."""
    anna = await kit.signed_in(ANNA)
    owner = await account_id(kit, ANNA)
    await fill(database_url, owner, own)
    await fill(database_url, "somebody-else", others, first=own)
    for path in ("/auth/account/activity", "/auth/account"):
        assert (await anna.get(path)).status_code == 200
    activity = {"before": f"0{own // 2:025d}", "account_id": owner, "limit": 21}
    sign_ins = {"account_id": owner, "type": SIGNED_IN.name, "limit": 10}
    for query, arguments, most in ((BEFORE, activity, 21), (SIGN_INS, sign_ins, 1001)):
        if database_url.startswith("sqlite"):
            plan = sqlite_plan(database_url, query, arguments)
            assert "SEARCH journal USING INDEX ix_journal_account_id_id (account_id=?" in plan
            assert query is SIGN_INS or "TEMP B-TREE" not in plan
        else:
            assert 0 < postgres_reads(database_url, query, arguments) <= most


async def test_the_page_goes_back_in_time(kit: Kit, database_url: str) -> None:
    """Twenty at a time with a way to what was before and back; a cursor that is none leads to the beginning."""
    await kit.signed_up(ANNA)
    await fill(database_url, await account_id(kit, ANNA), 30)
    anna = visitor(kit)
    await anna.submit(await anna.open("/login"), "/login", identifier=ANNA, password=PASSWORD)
    page = await anna.open("/account/activity")
    assert page.heading == "Activity"
    assert len(page.tree.one("ul", class_="rows").all("li")) == 20
    assert "Signed in with password." in page.text
    (older,) = [link for link in page.tree.one("main").all("a") if link.text == "Older"]
    page = await anna.open(older.attributes["href"])
    assert len(page.tree.one("ul", class_="rows").all("li")) == 12
    assert [link.text for link in page.tree.one("nav", aria_label="More activity").all("a")] == ["Latest"]
    lost = await anna.browser.get("/account/activity?cursor=nonsense")
    assert (lost.status_code, lost.headers["location"]) == (303, "/account/activity")


async def test_without_the_rib_of_an_event(tmp_path: Path) -> None:
    """Rows of a feature that was taken out are skipped, and break nothing."""
    ribs = tuple(rib for rib in RIBS if rib.name != "claim")
    database = f"sqlite:///{tmp_path / 'ostiary.db'}"
    async with running(tmp_path, ribs=ribs, database=database) as kit:
        anna = await kit.signed_in(ANNA)
        await fill(database, await account_id(kit, ANNA), 3, "claim_failed")
        told = (await anna.get("/auth/account/activity")).json()["activity"]
        assert [one["type"] for one in told] == ["sign_in_succeeded", "email_verified"]
