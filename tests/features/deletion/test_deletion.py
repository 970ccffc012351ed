"""An account goes because its owner says so: after a grace, with everything, and signing in undoes it before (A9)."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pyotp
import pytest

from ostiary.core.accounts.accounts import DISABLED, ENABLED, Status
from ostiary.core.accounts.store import account
from ostiary.core.change import Change, on
from ostiary.engine.features import RIBS
from ostiary.features.deletion.flow import DELETED
from ostiary.http.rib import Rib
from ostiary.kernel.errors import Unavailable
from ostiary.kernel.events import Event
from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import account_id, answer, changed, dump, journalled, login, set_status
from tests.features.deletion.stage import ANNA, BERT, GRACE, LATE, ask, mentions, subjects, work
from tests.pages.reading import visitor

SWEPT = ("session", "once", "throttle", "outbox", "journal")


async def test_asking_ends_everything_at_once(kit: Kit) -> None:
    """The answer says when; sessions, tokens and half-done sign-ins are dead, and the owner is told."""
    await kit.signed_up(ANNA)
    anna, other = await kit.sign_in(ANNA), await kit.sign_in(ANNA)
    app = (await other.post("/auth/mfa/totp")).json()
    code = pyotp.TOTP(app["secret"]).at(kit.clock.now())
    (await other.post(f"/auth/mfa/totp/{app['id']}/confirm", json={"code": code})).raise_for_status()
    kit.clock.turn(timedelta(minutes=1))
    half = kit.browser()
    attempt = (await login(half, ANNA)).json()["attempt"]
    program = kit.browser()
    code = pyotp.TOTP(app["secret"]).at(kit.clock.now())
    tokens = (await login(program, ANNA, delivery="tokens", code=code)).json()
    before = kit.clock.now()
    asked = await ask(other)
    assert (asked.status_code, asked.json()["status"]) == (202, "deletion_requested")
    due = datetime.fromisoformat(asked.json()["due_at"])
    assert timedelta() <= due - (before + GRACE) < timedelta(minutes=1)
    assert other.cookies.get(kit.engine.app.edge.cookies.session) is None
    for browser in (anna, other):
        assert (await browser.get("/auth/session")).status_code == 401
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    assert (await ask(kit.browser(headers=bearer))).status_code == 401
    refreshed = await program.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert refreshed.status_code == 401
    kit.clock.turn(timedelta(seconds=30))
    code = pyotp.TOTP(app["secret"]).at(kit.clock.now())
    assert (await answer(half, attempt, code, "totp")).status_code == 401
    seen = len(subjects(kit, ANNA))
    while "Your ostiary account will be deleted" not in subjects(kit, ANNA):
        await kit.mail_to(ANNA, count=(seen := seen + 1))
    (mail,) = [one for one in kit.mailbox.messages() if one["subject"].endswith("will be deleted")]
    assert "Sign in before that moment" in mail["text"]
    assert "account_deletion_undone" not in await journalled(kit)


async def test_signing_in_undoes_it(kit: Kit) -> None:
    """On the last day still; once, with a word to the owner; what the worker does then concerns nobody."""
    anna = await kit.signed_in(ANNA)
    owner = await account_id(kit, ANNA)
    assert (await ask(anna)).status_code == 202
    kit.clock.turn(GRACE - timedelta(minutes=1))
    await work(kit)
    assert (await login(kit.browser(), ANNA, "wrong")).status_code == 401
    due_at = [column.name for column in account.columns].index("deletion_due_at")
    assert (await dump(kit))["account"][0][due_at] is not None, "a wrong password undoes nothing"
    for _ in range(2):
        assert (await login(kit.browser(), ANNA)).json()["user"]["id"] == owner
    kit.clock.turn(timedelta(days=1))
    await work(kit)
    assert (await login(kit.browser(), ANNA)).json()["user"]["id"] == owner
    events = await journalled(kit)
    assert [
        events.count(f"account_{one}") for one in ("deletion_requested", "deletion_undone", "deleted")
    ] == [1, 1, 0]
    await kit.mail_to(ANNA, count=3)
    assert subjects(kit, ANNA)[1:] == [
        "Your ostiary account will be deleted", "Your ostiary account stays",
    ]  # fmt: skip


async def test_everything_goes(kit: Kit) -> None:
    """No table knows the address or anything of the person; the address is free; another account is untouched."""
    bert = await kit.signed_in(BERT, ip="198.51.100.7")
    bystander = await account_id(kit, BERT)
    anna = await kit.signed_in(ANNA, ip="203.0.113.77", headers={"user-agent": "Annas/1.0"})
    owner = await account_id(kit, ANNA)
    await anna.patch("/auth/account", json={"name": "Anna Ahlgren"})
    await anna.post("/auth/emails", json={"email": "anna@new.example"})
    await anna.post("/auth/mfa/totp")
    await anna.post(
        "/auth/password/change", json={"current_password": PASSWORD, "new_password": PASSWORD + " 2"}
    )
    assert (await ask(anna)).status_code == 202
    assert mentions(await dump(kit), owner) >= {
        "account",
        "identifier",
        "session",
        "journal",
        "totp",
        "email_wish",
    }
    kit.clock.turn(GRACE - timedelta(minutes=30))
    await kit.browser().post("/auth/password/forgot", json={"email": ANNA})
    token = (await kit.mail_to(ANNA, count=4))["links"][0].partition("token=")[2]
    kit.clock.turn(timedelta(minutes=30))
    await work(kit)
    mail = await kit.mail_to(ANNA, count=5)
    assert mail["subject"] == "Your ostiary account is deleted"
    assert (await login(kit.browser(), ANNA)).status_code == 401
    body = {"token": token, "new_password": "stolen harbour seventeen lanterns"}
    assert (await kit.browser().post("/auth/password/reset", json=body)).status_code == 400
    assert (await anna.get("/auth/session")).status_code == 401
    stored = await dump(kit)
    assert mentions(stored, owner) == {"journal", "deleted_account", "once"}, (
        "hashes of secrets, for a day at most"
    )
    kit.clock.turn(LATE)
    await work(kit)
    async with kit.engine.core.database.transaction() as tx:
        await kit.engine.core.once.sweep(tx, 500)
    stored = await dump(kit)
    assert mentions(stored, owner) == {"journal"}
    assert mentions(stored, ANNA, "anna@new.example", "Anna", "203.0.113.77", "Annas") == set()
    kept = [row for row in stored["journal"] if owner in row]
    assert {row[2] for row in kept} >= {"sign_in_succeeded", "account_deletion_requested", "account_deleted"}
    assert {row[5:7] + row[8:] for row in kept} == {("", "", "{}")}
    assert any("198.51.100.7" in row for row in stored["journal"] if bystander in row)
    assert (await login(bert, BERT)).json()["user"]["id"] == bystander
    await kit.browser().post("/auth/register", json={"email": ANNA, "password": PASSWORD, "name": "New"})
    token, _ = await kit.verification(ANNA, count=6)
    assert (await kit.browser().post("/auth/email/verify", json={"token": token})).status_code == 200
    again = (await login(kit.browser(), ANNA)).json()["user"]
    assert (again["name"], again["id"] == owner) == ("New", False)


async def test_a_disabled_account_goes_too(kit: Kit) -> None:
    """Being disabled in the grace keeps nobody from being deleted."""
    anna = await kit.signed_in(ANNA)
    owner = await account_id(kit, ANNA)
    await ask(anna)
    await set_status(kit, owner, Status.DISABLED)
    kit.clock.turn(GRACE)
    await work(kit)
    assert mentions(await dump(kit), owner) <= {"journal", "deleted_account", "once"}
    assert DISABLED.name in await journalled(kit)


@pytest.mark.parametrize("is_late", [False, True], ids=["before", "after"])
async def test_it_needs_a_fresh_sign_in(kit: Kit, is_late: bool) -> None:
    """Neither a session of this morning nor none at all asks for it; nothing is changed by trying."""
    anna = await kit.signed_in(ANNA)
    if is_late:
        kit.clock.turn(timedelta(minutes=16))
    before = await dump(kit, without=SWEPT)
    assert (await ask(kit.browser())).status_code == 401
    assert await dump(kit, without=SWEPT) == before
    refused = await ask(anna)
    if not is_late:
        assert refused.status_code == 202
        return
    assert refused.json()["code"] == "fresh_authentication_required"
    assert await dump(kit, without=SWEPT) == before


async def test_asking_twice_at_once(kit: Kit) -> None:
    """The first ends the session of the others: one event, one mail."""
    anna = await kit.signed_in(ANNA)
    answers = await asyncio.gather(*(ask(anna) for _ in range(3)))
    assert sorted(one.status_code for one in answers) == [202, 401, 401]
    assert (await journalled(kit)).count("account_deletion_requested") == 1


async def test_signing_in_while_it_is_deleted(kit: Kit) -> None:
    """Either the account stays and its owner is in, or it is gone and he is not: never a session without an account."""
    stays = 0
    for number in range(6):
        address = f"p{number}@example.com"
        browser = await kit.signed_in(address, ip=f"192.0.2.{number + 40}")
        owner = await account_id(kit, address)
        assert (await ask(browser)).status_code == 202
        kit.clock.turn(GRACE + timedelta(seconds=number))
        person = kit.browser(ip=f"192.0.2.{number + 40}")
        signed_in, _ = await asyncio.gather(login(person, address), work(kit))
        session = await person.get("/auth/session")
        stored = await dump(kit)
        if signed_in.status_code == 200:
            stays += 1
            assert session.json()["user"]["id"] == owner
            (row,) = [row for row in stored["account"] if owner in row]
            assert row[-1] is None
        else:
            assert (signed_in.status_code, session.status_code) == (401, 401)
            assert mentions(stored, owner) <= {"journal", "deleted_account", "once"}
    events = await journalled(kit)
    assert (events.count("account_deletion_undone"), events.count("account_deleted")) == (stays, 6 - stays)


async def test_one_that_cannot_go_keeps_no_other(tmp_path: Path, database_url: str) -> None:
    """What fails for one account is tried again later, and the accounts behind it in the line go."""
    stuck: list[str] = []

    async def fail(change: Change, event: Event) -> None:
        if event.account_id in stuck:
            raise Unavailable("for a test")

    extra = Rib(name="extra", subscribers=lambda parts: (on(DELETED, fail),))
    async with running(tmp_path, database=database_url, ribs=(*RIBS, extra)) as kit:
        for address in (ANNA, BERT):
            await ask(await kit.signed_in(address))
        anna, bert = await account_id(kit, ANNA), await account_id(kit, BERT)
        stuck.append(anna)
        kit.clock.turn(GRACE)
        await work(kit)
        stored = await dump(kit)
        assert mentions(stored, bert) <= {"journal", "deleted_account", "once"}
        assert mentions(stored, anna) >= {"account", "identifier", "session"}
        stuck.clear()
        await work(kit)
        assert mentions(await dump(kit), anna) >= {"account"}, "those that can go come first, for an hour"
        kit.clock.turn(timedelta(hours=1))
        await work(kit)
        assert mentions(await dump(kit), anna) <= {"journal", "deleted_account", "once"}


@pytest.mark.parametrize("verify_email", ["optional", "required"])
async def test_no_old_link_brings_it_back(tmp_path: Path, database_url: str, verify_email: str) -> None:
    """A registration that waits at its address goes with it: its link and its password are dead."""
    async with running(
        tmp_path, database=database_url, verify_email=verify_email, deletion_grace="1h"
    ) as kit:
        anna = await kit.signed_in(ANNA) if verify_email == "required" else kit.browser()
        body = {"email": ANNA, "password": PASSWORD, "name": "Anna Waiting"}
        (await anna.post("/auth/register", json=body)).raise_for_status()
        if verify_email == "optional":
            (await login(anna, ANNA)).raise_for_status()
        token, _ = await kit.verification(ANNA)
        assert (await ask(anna)).status_code == 202
        kit.clock.turn(timedelta(hours=1))
        await work(kit)
        stored = await dump(kit)
        assert stored["address_claim"] == []
        assert mentions(stored, "Anna Waiting") == set()
        assert (await login(kit.browser(), ANNA)).json()["code"] == "invalid_credentials"
        assert (await kit.browser().post("/auth/email/verify", json={"token": token})).status_code == 400
        assert (await dump(kit))["account"] == []


async def test_a_long_journal_is_cleaned_in_parts(kit: Kit) -> None:
    """More rows than one transaction takes, and those that come later: none keeps anything, none is missing."""
    anna = await kit.signed_in(ANNA)
    owner = await account_id(kit, ANNA)

    async def noise(change: Change) -> None:
        for _ in range(600):
            await change.emit(ENABLED(owner, reason="noise"))

    await changed(kit, noise)
    await ask(anna)
    kit.clock.turn(GRACE)
    await work(kit)
    count = len([row for row in (await dump(kit))["journal"] if owner in row])
    assert count > 600
    await changed(kit, lambda change: change.emit(ENABLED(owner, reason="late")))
    kit.clock.turn(LATE)
    await work(kit)
    rows = [row for row in (await dump(kit))["journal"] if owner in row]
    assert len(rows) == count + 1
    assert {row[8] for row in rows} == {"{}"}
    assert (await dump(kit))["deleted_account"] == []


async def test_the_pages(kit: Kit) -> None:
    """It asks first, says until when, and whoever changes his mind signs in; a stale sign-in is asked for again."""
    await kit.signed_up(ANNA)
    anna = visitor(kit)
    await anna.submit(await anna.open("/login"), "/login", identifier=ANNA, password=PASSWORD)
    page = await anna.open("/account/delete")
    assert page.heading == "Delete this account?"
    kit.clock.turn(timedelta(minutes=16))
    late = await anna.send(page, "/account/delete")
    assert (late.status_code, late.headers["location"]) == (303, "/login?next=/account/delete&again=1")
    page = await anna.submit(await anna.open(late.headers["location"]), "/login", password=PASSWORD)
    assert page.heading == "Delete this account?"
    done = await anna.submit(page, "/account/delete")
    assert (done.answer.url.path, done.heading) == ("/account/delete/done", "Your account will be deleted")
    assert (await anna.open("/account")).heading == "Sign in"
    back = await anna.submit(await anna.open("/login"), "/login", identifier=ANNA, password=PASSWORD)
    assert back.heading == "Your account"
    assert (await journalled(kit))[-1] == "account_deletion_undone"
    assert (await visitor(kit).open("/account/delete/done")).heading == "Nothing is deleted here"
