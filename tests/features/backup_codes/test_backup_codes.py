"""Backup codes: they come with the first factor and go with the last, each works once, and their owner is told."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.features.backup_codes.store import backup_code
from ostiary.storage.statement import Query, command
from ostiary.testing import Browser, Kit, running
from tests.core.signin.stage import RACING, StoppedClock, account_id, changed, dump, journalled, session_rows
from tests.features.totp.stage import ANNA, STEP, App, answer, begun, confirm, enrolled, login, waits
from tests.security.stage import drained
from tests.support.secrets import nothing_leaks

CROWD = 50
MOVING = ("session", "outbox", "once", "throttle", "address_claim")

_ROWS = Query(
    "test.backup_codes",
    sa.select(backup_code.c.number, backup_code.c.hash, backup_code.c.used_at)
    .where(backup_code.c.account_id == bindparam("of_account"))
    .order_by(backup_code.c.number),
    lambda *row: row,
)
_MOVE = command(
    "test.move_backup_code",
    sa.update(backup_code)
    .where(
        backup_code.c.account_id == bindparam("of_account"), backup_code.c.number == bindparam("of_number")
    )
    .values(hash=bindparam("other")),
)


async def with_codes(kit: Kit, browser: Browser) -> tuple[App, list[str]]:
    """An app that was just added, and the codes that came along."""
    app = await begun(kit, browser)
    codes: list[str] = (await confirm(browser, app)).json()["backup_codes"]
    return app, codes


async def by_code(browser: Browser, code: str, address: str = ANNA) -> int:
    """Sign in in two steps, the second one with a backup code."""
    return (await answer(browser, await waits(browser, address), code, "backup_code")).status_code


async def remaining(browser: Browser) -> int | None:
    """How many codes are left, as the owner sees it; None for no codes."""
    listed = (await browser.get("/auth/mfa")).json()["factors"]
    return next((one["remaining"] for one in listed if one["factor"] == "backup_code"), None)


async def test_they_come_with_the_first_app(kit: Kit) -> None:
    """Ten different codes, stored as argon2id hashes; a second app brings none while some are left."""
    browser = await kit.signed_in(ANNA)
    _, codes = await with_codes(kit, browser)
    assert len(set(codes)) == 10
    assert [code[0] for code in codes] == list("0123456789")
    rows = await kit.engine.core.database.all(_ROWS, of_account=await account_id(kit, ANNA))
    assert len(rows) == 10
    assert all(row[1].startswith("$argon2id$") for row in rows)
    assert len({row[1] for row in rows}) == 10
    kit.clock.turn(STEP)
    assert (await with_codes(kit, browser))[1] == []
    assert await remaining(browser) == 10
    told = await kit.mail_to(ANNA, count=3)
    assert "backup codes" not in told["text"], "the second app brought none"
    assert (await journalled(kit)).count("backup_codes_issued") == 1


async def test_each_works_once(kit: Kit) -> None:
    """A code opens in two steps or sent along, typed as people type; then it is spent, and the others are not."""
    _, codes = await with_codes(kit, await kit.signed_in(ANNA))
    assert await by_code(kit.browser(), codes[3]) == 200
    assert await by_code(kit.browser(), codes[3]) == 401
    assert (await login(kit.browser(), code=codes[3])).status_code == 401
    along = await login(kit.browser(), code=codes[7].lower().replace("-", " "))
    assert (along.json()["session"]["amr"], along.json()["session"]["acr"]) == (["pwd", "otp", "mfa"], "2")
    assert await by_code(kit.browser(), codes[7]) == 401
    assert await by_code(kit.browser(), codes[0].replace("-", "")) == 200


async def test_the_owner_is_told(kit: Kit) -> None:
    """Each use sends a mail that says how many are left, and warns from two on; the count is on the account."""
    browser = await kit.signed_in(ANNA)
    _, codes = await with_codes(kit, browser)
    for used, code in enumerate(codes, 1):
        kit.clock.turn(timedelta(minutes=1))
        assert await by_code(kit.browser(f"192.0.2.{used}"), code) == 200
        await drained(kit)
        told = [mail for mail in kit.mailbox.messages() if "unusual" not in mail["subject"]][-1]
        left = len(codes) - used
        few = left <= 2
        assert told["subject"].startswith("Few backup codes are left" if few else "A backup code of your"), (
            left
        )
        assert ("Then make new codes" in told["text"]) is few
        words = "It was the last one." if not left else f"{left} code{'s are' if left > 1 else ' is'} left."
        assert words in told["text"]
        assert f"192.0.2.{used}" in told["text"]
        assert code not in told["text"] + told["html"]
    assert (await journalled(kit)).count("backup_code_used") == 10


async def test_when_none_is_left(kit: Kit) -> None:
    """Backup codes are offered no more, the app still opens, and another app brings new ones."""
    browser = await kit.signed_in(ANNA)
    app, codes = await with_codes(kit, browser)
    for number, code in enumerate(codes):
        assert await by_code(kit.browser(f"192.0.2.{number}"), code) == 200
    stranger = kit.browser()
    assert (await login(stranger)).json()["factors"] == ["totp"]
    full = kit.browser()
    assert (await login(full, code=app.fresh_code())).status_code == 200
    assert await remaining(full) is None
    assert len((await with_codes(kit, full))[1]) == 10


async def test_the_list_says_what_there_is(kit: Kit) -> None:
    """Apps by name, codes by number, when they were made and used; no secret, code or hash is in it."""
    browser = await kit.signed_in(ANNA)
    assert (await browser.get("/auth/mfa")).json() == {
        "enabled": False, "required": False, "missing_from": None, "factors": []
    }  # fmt: skip
    app = await begun(kit, browser, "Phone")
    assert (await browser.get("/auth/mfa")).json()["factors"] == [], "what waits is not enrolled"
    codes = (await confirm(browser, app)).json()["backup_codes"]
    kit.clock.turn(timedelta(minutes=1))
    stranger = kit.browser()
    (await login(stranger, code=codes[0])).raise_for_status()
    listed = await stranger.get("/auth/mfa")
    assert listed.json()["enabled"] is True
    totp, backup = listed.json()["factors"]
    assert (totp["factor"], totp["id"], totp["name"]) == ("totp", app.id, "Phone")
    assert (totp["last_used_at"], totp["remaining"]) == (None, None)
    assert (backup["factor"], backup["id"], backup["remaining"]) == ("backup_code", None, 9)
    assert backup["last_used_at"] > backup["created_at"]
    assert not any(word in listed.text for word in ("secret", "argon2", *codes))


async def test_new_codes_replace_all(kit: Kit) -> None:
    """Used or not, the old ones are gone, and the owner is told."""
    browser = await kit.signed_in(ANNA)
    _, old = await with_codes(kit, browser)
    assert await by_code(kit.browser(), old[0]) == 200
    made = await browser.post("/auth/mfa/backup-codes")
    new = made.json()["backup_codes"]
    assert len(set(new)) == 10
    assert not set(new) & set(old)
    assert await remaining(browser) == 10
    for number, code in enumerate((old[0], old[1], old[9])):
        assert await by_code(kit.browser(f"198.51.100.{number}"), code) == 401
    assert await by_code(kit.browser(), new[1]) == 200
    await kit.mail_to(ANNA, count=5)
    told = [mail["subject"] for mail in kit.mailbox.messages() if mail["to"] == ANNA]
    assert "Your ostiary account has new backup codes" in told


async def test_new_codes_want_a_fresh_sign_in(kit: Kit) -> None:
    """Not a quarter of an hour later, not with the first step alone, not without a session; the old ones stay."""
    browser = await kit.signed_in(ANNA)
    other = await kit.sign_in(ANNA)
    _, codes = await with_codes(kit, browser)
    before = await dump(kit, without=MOVING)
    refused = await other.post("/auth/mfa/backup-codes")
    assert (refused.status_code, refused.json()["code"]) == (401, "fresh_authentication_required")
    assert (await kit.browser().post("/auth/mfa/backup-codes")).status_code == 401
    kit.clock.turn(timedelta(minutes=16))
    refused = await browser.post("/auth/mfa/backup-codes")
    assert (refused.status_code, refused.json()["code"]) == (401, "fresh_authentication_required")
    assert await dump(kit, without=MOVING) == before
    assert await by_code(kit.browser(), codes[0]) == 200


async def test_alone_they_are_no_factor(kit: Kit) -> None:
    """Without a factor to stand in for, none are made."""
    browser = await kit.signed_in(ANNA)
    refused = await browser.post("/auth/mfa/backup-codes")
    assert (refused.status_code, refused.json()["code"]) == (409, "no_factor")
    assert (await dump(kit))["backup_code"] == []


async def test_they_go_with_the_last_app(kit: Kit) -> None:
    """Removing one of two apps keeps them; removing the last one takes them away, also for a sign-in that waits."""
    browser = await kit.signed_in(ANNA)
    app, codes = await with_codes(kit, browser)
    kit.clock.turn(STEP)
    second = await enrolled(kit, browser)
    assert (await browser.delete(f"/auth/mfa/totp/{second.id}")).status_code == 204
    assert await remaining(browser) == 10
    stranger = kit.browser()
    attempt = await waits(stranger)
    assert (await browser.delete(f"/auth/mfa/totp/{app.id}")).status_code == 204
    assert (await answer(stranger, attempt, codes[0], "backup_code")).status_code == 401
    assert (await dump(kit))["backup_code"] == []
    assert (await login(kit.browser())).json()["status"] == "complete"


async def test_new_codes_are_throttled(kit: Kit) -> None:
    """Ten hashes each are worth a limit: five sets in an hour."""
    browser = await kit.signed_in(ANNA)
    await with_codes(kit, browser)
    for _ in range(5):
        assert (await browser.post("/auth/mfa/backup-codes")).status_code == 200
    assert (await browser.post("/auth/mfa/backup-codes")).status_code == 429


async def test_a_wrong_code_costs_one_hash(kit: Kit) -> None:
    """The number selects the one hash to try: unknown, used and wrong cost the same, and what is no code costs none."""
    browser = await kit.signed_in(ANNA)
    _, codes = await with_codes(kit, browser)
    assert await by_code(kit.browser(), codes[4]) == 200
    letters = codes[1][1:]
    pool = kit.engine.core.passwords.pool
    for number, (typed, hashes) in enumerate(
        [(codes[4], 1), ("2" + letters, 1), ("A" + letters, 1), ("123456", 0), (codes[1] + "0", 0)]
    ):
        stranger = kit.browser(f"198.51.100.{number}")
        attempt = await waits(stranger)
        before = pool.accepted
        assert (await answer(stranger, attempt, typed, "backup_code")).status_code == 401
        assert pool.accepted - before == hashes, typed
        kit.clock.turn(timedelta(hours=3))
    assert await by_code(kit.browser(), codes[1]) == 200


async def test_a_hash_is_bound_to_its_place(kit: Kit) -> None:
    """Whoever can write to the database cannot move the hash of a code that he knows to another number or account."""
    _, annas = await with_codes(kit, await kit.signed_in(ANNA))
    _, mallorys = await with_codes(kit, await kit.signed_in("mallory@example.com"))
    anna, mallory = await account_id(kit, ANNA), await account_id(kit, "mallory@example.com")
    theirs = {row[0]: row[1] for row in await kit.engine.core.database.all(_ROWS, of_account=mallory)}
    own = {row[0]: row[1] for row in await kit.engine.core.database.all(_ROWS, of_account=anna)}
    await changed(kit, lambda change: change.run(_MOVE, of_account=anna, of_number=0, other=theirs[0]))
    await changed(kit, lambda change: change.run(_MOVE, of_account=anna, of_number=1, other=own[2]))
    assert await by_code(kit.browser(), mallorys[0]) == 401
    assert await by_code(kit.browser("198.51.100.1"), "1" + annas[2][1:]) == 401


@pytest.fixture
async def racing(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine whose throttle lets a race begin."""
    given: dict[str, Any] = {**RACING, "factor_failures_per_network": "1000/15m", "hash_queue": 200}
    async with running(tmp_path, database=database_url, clock=StoppedClock(), **given) as kit:
        with nothing_leaks(kit):
            yield kit


async def test_it_works_once_in_a_crowd(racing: Kit) -> None:
    """Fifty sign-ins that wait all give the same code at once: one gets in, one mail goes out, nine codes are left."""
    browser = await racing.signed_in(ANNA)
    _, codes = await with_codes(racing, browser)
    browsers = [racing.browser(f"192.0.2.{n}") for n in range(1, CROWD + 1)]
    attempts = [await waits(one) for one in browsers]
    before = len(await session_rows(racing))
    answers = await asyncio.gather(
        *(
            answer(one, attempt, codes[0], "backup_code")
            for one, attempt in zip(browsers, attempts, strict=True)
        )
    )
    assert sorted(one.status_code for one in answers) == [200] + [401] * (CROWD - 1)
    assert len(await session_rows(racing)) == before + 1
    assert (await journalled(racing)).count("backup_code_used") == 1


async def test_a_set_holds_one_place_in_the_pool(database_url: str, tmp_path: Path) -> None:
    """With one thread and room for two more hashes, ten codes are made, and somebody signs in meanwhile."""
    given: dict[str, Any] = {"hash_workers": 1, "hash_queue": 2}
    async with running(tmp_path, database=database_url, clock=StoppedClock(), **given) as kit:
        browser = await kit.signed_in(ANNA)
        await with_codes(kit, browser)
        await kit.signed_up("ben@example.com")
        made, signed_in = await asyncio.gather(
            browser.post("/auth/mfa/backup-codes"), login(kit.browser(), "ben@example.com")
        )
        assert (made.status_code, signed_in.status_code) == (200, 200)
