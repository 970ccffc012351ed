"""Lockout over HTTP: forged addresses, the ladder on the turned clock, what the owner is told, and the end at 100."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from ostiary.core.accounts import accounts
from ostiary.testing import Kit
from ostiary.testing.kit import PASSWORD
from tests.security.stage import WRONG, drained, mails_to, network, still, try_password

ANNA = "anna@example.com"


@pytest.fixture
async def quiet(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine on each database, whose clock stands still, with one account."""
    async with still(tmp_path, database=database_url) as kit:
        await kit.signed_up(ANNA)
        yield kit


async def locked_out(kit: Kit, address: str = ANNA, ip: str = "198.51.100.77") -> None:
    """Lock an account from somewhere else."""
    for _ in range(5):
        assert (await try_password(kit, address, ip=ip)).status == 401


async def test_forged_addresses_do_not_escape_the_lockout(quiet: Kit) -> None:
    """Thirty wrong passwords, each with another X-Forwarded-For: five are tried, the rest meets the lock."""
    seen = [
        await try_password(quiet, ANNA, f"wrong guess {n}", x_forwarded_for=f"203.0.113.{n}, 10.0.0.{n}")
        for n in range(30)
    ]
    assert [one.status for one in seen] == [401] * 5 + [429] * 25
    assert [one.hashes for one in seen] == [2] * 5 + [0] * 25
    assert seen[5].header("retry-after") == "60"
    assert seen[5].body == {
        "type": "urn:ostiary:error:too_many_attempts",
        "title": "Too many attempts. Try again later.",
        "status": 429,
        "code": "too_many_attempts",
        "retry_after": 60,
    }
    assert [one.told for one in seen[6:]] == [seen[5].told] * 24


async def test_a_right_password_waits_like_a_wrong_one(quiet: Kit) -> None:
    """During the lock both get the same answer without a hash; at its end, to the second, the right one gets in."""
    await locked_out(quiet)
    right = await try_password(quiet, ANNA, PASSWORD)
    wrong = await try_password(quiet, ANNA)
    assert (right.told, right.hashes) == (wrong.told, 0)
    assert right.status == 429
    quiet.clock.turn(timedelta(seconds=59))
    assert (await try_password(quiet, ANNA, PASSWORD)).header("retry-after") == "1"
    quiet.clock.turn(timedelta(seconds=1))
    assert (await try_password(quiet, ANNA, PASSWORD)).status == 200


async def test_answers_are_held_back(quiet: Kit) -> None:
    """From the third failure on by 1, 2, 4 seconds, and a success that follows no less."""
    delays = [(await try_password(quiet, ANNA)).slept for _ in range(5)]
    assert delays == [(), (), (timedelta(seconds=1),), (timedelta(seconds=2),), (timedelta(seconds=4),)]
    quiet.clock.turn(timedelta(minutes=1))
    right = await try_password(quiet, ANNA, PASSWORD)
    assert (right.status, right.slept) == (200, (timedelta(seconds=8),))
    assert (await try_password(quiet, ANNA, PASSWORD)).slept == ()


async def test_the_owner_is_told(quiet: Kit) -> None:
    """The first lock brings one mail to the proven address; later ones none until a success, which is told itself."""
    await locked_out(quiet)
    await try_password(quiet, ANNA)
    mail = await quiet.mail_to(ANNA, count=2)
    assert "198.51.100.77" in mail["text"]
    quiet.clock.turn(timedelta(minutes=1))
    await try_password(quiet, ANNA)
    quiet.clock.turn(timedelta(minutes=5))
    assert (await try_password(quiet, ANNA, PASSWORD)).status == 200
    await drained(quiet)
    assert mails_to(quiet, ANNA) == 3
    told = await quiet.mail_to(ANNA, count=3)
    assert "6 tries in a row before it failed." in told["text"]
    await locked_out(quiet)
    await quiet.mail_to(ANNA, count=4)
    await locked_out(quiet, "nobody@example.com", network(1))
    assert {mail["to"] for mail in quiet.mailbox.messages()} == {ANNA}


async def test_a_hundred_failures_disable_the_password(quiet: Kit) -> None:
    """After the hundredth consecutive failure the right password gets the wrong one's answer, and the owner a mail."""
    for number in range(100):
        if number == 99:
            assert (await still_works(quiet)) is True
        failed = await try_password(quiet, ANNA, ip=network(number))
        assert failed.status == 401
        quiet.clock.turn(timedelta(minutes=61))
    assert (await still_works(quiet)) is False
    right = await try_password(quiet, ANNA, PASSWORD, ip=network(150))
    quiet.clock.turn(timedelta(hours=2))
    wrong = await try_password(quiet, ANNA, ip=network(151))
    assert (right.status, right.body, right.hashes) == (401, wrong.body, wrong.hashes)
    await drained(quiet)
    subjects = Counter(mail["subject"] for mail in quiet.mailbox.messages() if mail["to"] == ANNA)
    assert any("disabled" in subject.lower() for subject in subjects)


async def still_works(kit: Kit) -> bool:
    """Whether the password may be used, looked up beside the counters."""
    found = await accounts.find(kit.engine.core.database, ANNA)
    assert found is not None
    return found.password_disabled_at is None


async def test_success_in_between_starts_the_count_anew(database_url: str, tmp_path: Path) -> None:
    """`disable_after` counts consecutive failures: a success among them keeps the password."""
    settings = {"disable_after": 6, "lock_after": 6, "known_browser_limit": 6}
    async with still(tmp_path, database=database_url, **settings) as kit:
        await kit.signed_up(ANNA)
        for password in (WRONG, WRONG, WRONG, WRONG, WRONG, PASSWORD, WRONG, WRONG, WRONG, WRONG, WRONG):
            assert (await try_password(kit, ANNA, password)).status == (200 if password == PASSWORD else 401)
        assert (await try_password(kit, ANNA, PASSWORD)).status == 200
        for _ in range(6):
            await try_password(kit, ANNA)
        kit.clock.turn(timedelta(minutes=1))
        assert (await try_password(kit, ANNA, PASSWORD)).status == 401


async def test_strangers_cannot_lock_the_owner_out(quiet: Kit) -> None:
    """A browser that signed in before gets in during the lock and after the hundredth failure; others still wait."""
    owner = await quiet.sign_in(ANNA)
    await owner.post("/auth/logout")
    credentials = {"identifier": ANNA, "password": PASSWORD}
    await locked_out(quiet)
    assert (await owner.post("/auth/login", json=credentials)).status_code == 200
    assert (await try_password(quiet, ANNA, PASSWORD)).status == 429
    for number in range(95):
        quiet.clock.turn(timedelta(minutes=61))
        assert (await try_password(quiet, ANNA, ip=network(number))).status == 401
    assert (await still_works(quiet)) is False
    assert (await owner.post("/auth/login", json=credentials)).status_code == 200
    quiet.clock.turn(timedelta(minutes=61))
    assert (await try_password(quiet, ANNA, PASSWORD)).status == 401


async def test_a_known_browser_has_a_counter_of_its_own(quiet: Kit) -> None:
    """It is locked by its own failures, refused after twenty in a row, and known to no account but its own."""
    known = await quiet.sign_in(ANNA)
    await quiet.signed_up("bob@example.com")
    seen = []
    for _ in range(20):
        answer = await known.post("/auth/login", json={"identifier": ANNA, "password": WRONG})
        seen.append(answer.status_code)
        quiet.clock.turn(timedelta(minutes=1 if len(seen) < 6 else 60))
    assert seen == [401] * 20
    quiet.clock.turn(timedelta(days=1))
    right = {"identifier": ANNA, "password": PASSWORD}
    assert (await known.post("/auth/login", json=right)).status_code == 429
    assert (await try_password(quiet, ANNA, PASSWORD)).status == 200, "strangers' counter knows nothing of it"
    for _ in range(5):
        await try_password(quiet, "bob@example.com")
    bobs = {"identifier": "bob@example.com", "password": PASSWORD}
    assert (await known.post("/auth/login", json=bobs)).status_code == 429


async def test_a_lock_may_answer_423(database_url: str, tmp_path: Path) -> None:
    """With `lock_status` 423 known and unknown get that answer; a full network window stays 429."""
    async with still(
        tmp_path, database=database_url, lock_status=423, signin_failures_per_network="6/15m"
    ) as kit:
        await kit.signed_up(ANNA)
        await locked_out(kit, ip=network(1))
        await locked_out(kit, "nobody@example.com", ip=network(2))
        known = await try_password(kit, ANNA, ip=network(1))
        assert known == await try_password(kit, "nobody@example.com", ip=network(2))
        assert (known.status, known.body["code"], known.header("retry-after")) == (
            423,
            "account_locked",
            "60",
        )
        await try_password(kit, "third@example.com", ip=network(1))
        kit.clock.turn(timedelta(seconds=4))
        assert (await try_password(kit, "fourth@example.com", ip=network(1))).status == 429


@pytest.mark.parametrize("first_lock", ["30m", "2m"])
async def test_the_first_lock_can_be_long(tmp_path: Path, first_lock: str) -> None:
    """`first_lock` says how long the first one lasts."""
    async with still(tmp_path, first_lock=first_lock, lock_after=2) as kit:
        await try_password(kit, ANNA)
        await try_password(kit, ANNA)
        wait = (await try_password(kit, ANNA)).body["retry_after"]
        assert wait == int(first_lock.removesuffix("m")) * 60


async def test_registering_does_not_unlock(quiet: Kit) -> None:
    """A registration of a locked account's address leaves the lock as it is, and mails are still sent (S-A14)."""
    await locked_out(quiet)
    before = mails_to(quiet, ANNA)
    answer = await quiet.browser().post("/auth/register", json={"email": ANNA, "password": PASSWORD})
    assert answer.status_code == 202
    await quiet.mail_to(ANNA, count=before + 1)
    assert (await try_password(quiet, ANNA, PASSWORD)).status == 429
