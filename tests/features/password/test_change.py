"""Changing the password while signed in: what it asks for, what it ends, and what goes on."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from ostiary.core.change import Change
from ostiary.core.signin.door import LOCKOUT
from ostiary.core.throttle.limits import Hit
from ostiary.testing import Browser, Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import account_id, changed, dump, journalled, session_rows
from tests.features.password.stage import ANNA, NEW, NEWER, WRONG, add_address, change, codes, signs_in
from tests.features.tokens.stage import code_of, pair_of, refresh, who
from tests.features.tokens.stage import login as tokens_login
from tests.security.stage import DISABLE_PASSWORD, REMOVE_PASSWORD, drained

STALE = timedelta(minutes=16)


def session_of(kit: Kit, browser: Browser) -> str:
    """The session cookie that a browser holds."""
    value: str = browser.cookies[kit.engine.app.edge.cookies.session]
    return value


async def test_with_the_current_password(kit: Kit) -> None:
    """Others are signed out, this one goes on under another id and CSRF token, the owner is told by mail."""
    own = await kit.signed_in(ANNA)
    other = await kit.sign_in(ANNA)
    kit.clock.turn(STALE)
    cookies = kit.engine.app.edge.cookies
    before = dict(own.cookies)
    listed = (await own.get("/auth/session")).json()["session"]
    answer = await change(own, NEW, PASSWORD)
    assert (answer.status_code, answer.json()) == (200, {"status": "password_changed"})
    assert (await other.get("/auth/session")).json()["code"] == "session_ended"
    session = (await own.get("/auth/session")).json()["session"]
    assert session["id"] != listed["id"]
    assert {name: session[name] for name in ("expires_at", "amr", "acr", "created_at")} == {
        name: listed[name] for name in ("expires_at", "amr", "acr", "created_at")
    }
    for name in (cookies.session, cookies.csrf, cookies.known):
        assert own.cookies[name] != before[name], name
    stolen = kit.browser(cookies={cookies.session: before[cookies.session]})
    assert (await stolen.get("/auth/session")).json()["code"] == "session_ended"
    assert sorted(why for _, _, _, why in await session_rows(kit)) == ["", "password_changed", "renewed"]
    assert await signs_in(kit, PASSWORD) == 401
    assert await signs_in(kit, NEW) == 200
    mail = await kit.mail_to(ANNA, count=2)
    assert mail["subject"] == "Your ostiary password was changed"
    assert "https://auth.example.test/recover" in mail["links"]


async def test_the_new_csrf_token_is_needed(kit: Kit) -> None:
    """After the change the old token is refused and the new one accepted."""
    own = await kit.signed_in(ANNA)
    old = own.cookies[kit.engine.app.edge.cookies.csrf]
    assert (await change(own, NEW, PASSWORD)).status_code == 200
    refused = await own.post("/auth/sessions/revoke-others", headers={"x-csrf-token": old})
    assert refused.json()["code"] == "csrf_failed"
    assert (await own.post("/auth/sessions/revoke-others")).status_code == 200


async def test_within_minutes_of_the_sign_in(kit: Kit) -> None:
    """A fresh sign-in needs no current password; sixteen minutes later it does, and nothing has changed."""
    own = await kit.signed_in(ANNA)
    assert (await change(own, NEW)).status_code == 200
    kit.clock.turn(STALE)
    await drained(kit)
    # What has expired meanwhile is swept away at some moment.
    swept = ("session", "once", "throttle")
    before = await dump(kit, without=swept)
    answer = await change(own, NEWER)
    assert (answer.status_code, answer.json()["code"]) == (401, "fresh_authentication_required")
    assert answer.json()["max_age"] == 900
    assert 'max_age="900"' in answer.headers["www-authenticate"]
    assert await dump(kit, without=swept) == before
    assert (await change(own, NEWER, NEW)).status_code == 200


async def test_a_change_makes_no_sign_in_fresh(kit: Kit) -> None:
    """The current password is one proof of possibly two: it does not stand in for a sign-in."""
    own = await kit.signed_in(ANNA)
    kit.clock.turn(STALE)
    assert (await change(own, NEW, PASSWORD)).status_code == 200
    assert (await change(own, NEWER)).json()["code"] == "fresh_authentication_required"


async def test_who_holds_tokens_signs_in_again(kit: Kit) -> None:
    """An access token that changes the password gets no other one, and leaves no session behind that nobody holds."""
    await kit.signed_up(ANNA)
    pair = await pair_of(kit)
    app = kit.browser(headers={"authorization": f"Bearer {pair['access_token']}"})
    answer = await change(app, NEW, PASSWORD)
    assert (answer.status_code, answer.json()) == (200, {"status": "password_changed"})
    assert "set-cookie" not in answer.headers
    assert code_of(await who(kit, pair["access_token"])) == "session_ended"
    assert code_of(await refresh(kit, pair["refresh_token"])) == "session_ended"
    own = await kit.sign_in(ANNA, NEW)
    assert len((await own.get("/auth/sessions")).json()["sessions"]) == 1


async def test_who_holds_tokens_in_cookies_stays(database_url: str, tmp_path: Path) -> None:
    """A browser whose cookies hold tokens gets new ones, like one with a session cookie; the old ones are worthless."""
    async with running(tmp_path, database=database_url, token_cookies=True) as kit:
        await kit.signed_up(ANNA)
        own, thief = kit.browser(), kit.browser()
        assert (await tokens_login(own, delivery="token_cookies")).status_code == 200
        thief.cookies.update(own.cookies)
        assert (await change(own, NEW, PASSWORD)).status_code == 200
        assert (await own.get("/auth/session")).status_code == 200
        assert (await own.post("/auth/refresh")).status_code == 200
        assert code_of(await thief.post("/auth/refresh")) == "session_ended"
        assert (await thief.get("/auth/session")).status_code == 401


async def test_without_a_session(kit: Kit) -> None:
    """Nobody who is not signed in gets as far as a password."""
    await kit.signed_up(ANNA)
    hashed = kit.engine.core.passwords.pool.accepted
    answer = await change(kit.browser(), NEW, PASSWORD)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert kit.engine.core.passwords.pool.accepted == hashed


async def test_a_stolen_session_may_not_guess(kit: Kit) -> None:
    """Wrong current passwords lock the account like failed sign-ins, wherever they come from, and tell the owner."""
    own = await kit.signed_in(ANNA)
    before = await dump(kit, without=("throttle", "journal", "outbox", "session"))
    answers = [await change(own, NEW, WRONG) for _ in range(6)]
    assert [one.status_code for one in answers] == [401] * 5 + [429]
    assert {one.json()["code"] for one in answers[:5]} == {"invalid_credentials"}
    assert await signs_in(kit, PASSWORD, ip="198.51.100.4") == 429, "the lock is the account's"
    assert await dump(kit, without=("throttle", "journal", "outbox", "session")) == before
    assert (await journalled(kit)).count("password_change_failed") == 5
    assert "account_locked" in await journalled(kit)
    assert (await kit.mail_to(ANNA, count=2))["subject"] == "Your ostiary account is locked for a while"
    kit.clock.turn(timedelta(minutes=2))
    assert (await change(own, NEW, PASSWORD)).status_code == 200
    assert await signs_in(kit, NEW, ip="198.51.100.4") == 200


async def test_guesses_in_both_places_share_one_count(kit: Kit) -> None:
    """Three at the door and two in the account lock it."""
    own = await kit.signed_in(ANNA)
    assert [await signs_in(kit, WRONG, ip=f"198.51.100.{n}") for n in range(3)] == [401] * 3
    assert [(await change(own, NEW, WRONG)).status_code for _ in range(3)] == [401, 401, 429]


async def test_a_refused_new_password_is_no_failed_guess(kit: Kit) -> None:
    """The right current password with ten poor new ones locks nobody out."""
    own = await kit.signed_in(ANNA)
    for _ in range(10):
        assert codes(await change(own, "short", PASSWORD)) == ["password_too_short"]
    assert await signs_in(kit, PASSWORD) == 200


async def test_an_overlong_current_password_is_a_wrong_one(kit: Kit) -> None:
    """It is not mistaken for a fault of the new one."""
    own = await kit.signed_in(ANNA)
    assert (await change(own, NEW, "x" * 5000)).json()["code"] == "invalid_credentials"


@pytest.mark.parametrize("state", ["none", "disabled"])
async def test_without_a_password_that_counts(kit: Kit, state: str) -> None:
    """A fresh sign-in sets one, and nothing else does: neither the old password nor any other."""
    own = await kit.signed_in(ANNA)
    anna = await account_id(kit, ANNA)

    async def work(tx: Change) -> None:
        if state == "none":
            await tx.run(REMOVE_PASSWORD, account_id=anna)
        else:
            await tx.run(DISABLE_PASSWORD, of_account=anna)

    await changed(kit, work)
    assert (await change(own, NEW, PASSWORD)).json()["code"] == "invalid_credentials"
    assert (await change(own, NEW)).status_code == 200
    assert await signs_in(kit, NEW) == 200


async def test_the_owner_is_told_at_every_address(kit: Kit) -> None:
    """Two proven addresses get the mail, one that is not proven does not."""
    own = await kit.signed_in(ANNA)
    anna = await account_id(kit, ANNA)
    for address, verified_at in (("second@example.com", 1), ("unproven@example.com", None)):
        await add_address(kit, anna, address, verified_at)
    assert (await change(own, NEW, PASSWORD)).status_code == 200
    await drained(kit)
    told = [mail["to"] for mail in kit.mailbox.messages() if "was changed" in mail["subject"]]
    assert sorted(told) == [ANNA, "second@example.com"]


async def test_of_many_changes_at_once_one_wins(database_url: str, tmp_path: Path) -> None:
    """The session becomes one other session, and the password is the winner's."""
    async with running(tmp_path, database=database_url, new_password_tries="100/1h") as kit:
        own = await kit.signed_in(ANNA)
        token = own.cookies[kit.engine.app.edge.cookies.csrf]
        passwords = [f"harbour number {number} with lanterns" for number in range(10)]
        browsers = [kit.browser(cookies=dict(own.cookies)) for _ in passwords]
        answers = await asyncio.gather(
            *(
                browser.post(
                    "/auth/password/change", json={"new_password": one}, headers={"x-csrf-token": token}
                )
                for browser, one in zip(browsers, passwords, strict=True)
            )
        )
        statuses = [answer.status_code for answer in answers]
        assert sorted(statuses) == [200] + [401] * 9
        assert {one.json()["code"] for one in answers if one.status_code == 401} == {"session_ended"}
        assert await signs_in(kit, passwords[statuses.index(200)]) == 200
        live = [row for row in await session_rows(kit) if row[2] is None]
        assert len(live) == 2, "the winner's, and the one of the sign-in just now"


async def test_a_change_counts_every_new_password(tmp_path: Path) -> None:
    """However fresh the sign-in is, only so many new passwords are looked at."""
    async with running(tmp_path, new_password_tries="3/1h") as kit:
        own = await kit.signed_in(ANNA)
        assert [(await change(own, "short")).status_code for _ in range(4)] == [422] * 3 + [429]


async def test_a_change_forgets_the_failures(kit: Kit) -> None:
    """The account's counter begins anew with the new password, also without the current one."""
    own = await kit.signed_in(ANNA)
    anna = await account_id(kit, ANNA)
    for number in range(4):
        assert await signs_in(kit, WRONG, ip=f"198.51.100.{number}") == 401
    assert (await change(own, NEW)).status_code == 200
    key = kit.engine.core.throttle.key(Hit(LOCKOUT, f"account:{anna}"))
    assert key not in [row[0] for row in (await dump(kit))["throttle"]]


async def test_the_sign_in_page_still_knows_which_sign_in_is_this_one(kit: Kit) -> None:
    """Although the session has another id, the list of sign-ins marks the one that it came from."""
    await kit.signed_up(ANNA)
    await kit.sign_in(ANNA)
    own = await kit.sign_in(ANNA)
    await kit.sign_in(ANNA)
    before = (await own.get("/account/security")).text
    assert (await change(own, NEW, PASSWORD)).status_code == 200
    after = (await own.get("/account/security")).text
    assert before.count("This one") == after.count("This one") == 1
    order = ["This one" in row for row in after.partition("Recent sign-ins")[2].split("<li>")[1:]]
    assert order == [False, True, False]
