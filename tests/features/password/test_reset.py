"""A forgotten password: the link, what using it ends and mends, and what it never does."""

import asyncio
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from ostiary.core.accounts.accounts import Status
from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import account_id, dump, journalled, session_rows, set_status
from tests.features.password.stage import (
    ANNA,
    NEW,
    NEWER,
    WRONG,
    forgot,
    link,
    reset,
    reset_mails,
    signs_in,
    token_in,
)
from tests.security.stage import drained

INVALID = (400, "password_reset_invalid")


def told(answer: object) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, answer.json()["code"]  # type: ignore[attr-defined]


async def test_the_whole_way(kit: Kit) -> None:
    """Forgot, mail, reset: the old session is out, the old password too, nobody was signed in, the owner is told."""
    old = await kit.signed_in(ANNA)
    token = await link(kit)
    fresh = kit.browser()
    answer = await reset(kit, token, browser=fresh)
    assert (answer.status_code, answer.json()) == (200, {"status": "password_reset"})
    assert not fresh.cookies, "a reset signs nobody in"
    assert (await old.get("/auth/session")).json()["code"] == "session_ended"
    assert [why for _, _, _, why in await session_rows(kit)] == ["password_reset"]
    assert await signs_in(kit, PASSWORD) == 401
    assert await signs_in(kit, NEW) == 200
    mail = await kit.mail_to(ANNA, count=3)
    assert mail["subject"] == "Your ostiary password was reset"
    assert "https://auth.example.test/recover" in mail["links"]


async def test_looking_spends_nothing(kit: Kit) -> None:
    """GET and HEAD, however often and by whomever, leave link and database as they are; POST redeems."""
    await kit.signed_up(ANNA)
    token = await link(kit)
    await drained(kit)
    before = await dump(kit)
    scanner = kit.browser()
    for _ in range(3):
        for method in ("GET", "HEAD"):
            answer = await scanner.request(method, f"/recover/reset?token={token}", follow_redirects=True)
            assert answer.status_code == 200
            assert (await scanner.request(method, f"/auth/password/reset?token={token}")).status_code == 405
    assert await dump(kit) == before
    assert (await reset(kit, token)).status_code == 200


async def test_a_link_works_once(kit: Kit) -> None:
    """A second use is refused and changes nothing."""
    await kit.signed_up(ANNA)
    token = await link(kit)
    assert (await reset(kit, token)).status_code == 200
    assert told(await reset(kit, token, NEWER)) == INVALID
    assert await signs_in(kit, NEWER) == 401
    assert await signs_in(kit, NEW) == 200


async def test_only_the_newest_link_works(kit: Kit) -> None:
    """Asking again makes the older link worthless, at once."""
    await kit.signed_up(ANNA)
    first, second = await link(kit), await link(kit)
    assert first != second
    assert told(await reset(kit, first)) == INVALID
    assert (await reset(kit, second)).status_code == 200


async def test_a_link_lasts_an_hour(kit: Kit) -> None:
    """It works just before the hour is over, and not after it."""
    await kit.signed_up(ANNA)
    token = await link(kit)
    kit.clock.turn(timedelta(minutes=59))
    assert (await reset(kit, token)).status_code == 200
    token = await link(kit)
    kit.clock.turn(timedelta(minutes=60, seconds=1))
    assert told(await reset(kit, token)) == INVALID


async def test_a_refused_password_leaves_the_link_good(kit: Kit) -> None:
    """Every rule that it breaks is named at once, nothing is changed or spent, and a better one is taken."""
    old = await kit.signed_in(ANNA)
    token = await link(kit)
    await drained(kit)
    before = await dump(kit, without=("throttle", "journal", "session"))
    answer = await reset(kit, token, "anna")
    assert answer.status_code == 422
    assert [one["code"] for one in answer.json()["violations"]] == [
        "password_too_short",
        "password_contains_context",
    ]
    assert await dump(kit, without=("throttle", "journal", "session")) == before
    assert (await old.get("/auth/session")).status_code == 200
    assert (await reset(kit, token)).status_code == 200


@pytest.mark.parametrize("words", ["x", "A" * 43, "ä" * 43, "a" * 200])
async def test_nonsense_is_no_link(kit: Kit, words: str) -> None:
    """Whatever is no link of ours is refused like a spent one, and costs no hash."""
    await kit.signed_up(ANNA)
    await link(kit)
    hashed = kit.engine.core.passwords.pool.accepted
    assert told(await reset(kit, words)) == INVALID
    assert kit.engine.core.passwords.pool.accepted == hashed


async def test_a_lock_does_not_block_a_reset(kit: Kit) -> None:
    """A locked account gets its link, the reset ends the lock and its count, and asking locks nobody (S-A14)."""
    await kit.signed_up(ANNA)
    for number in range(6):
        await signs_in(kit, WRONG, ip=f"198.51.100.{number}")
    assert await signs_in(kit, PASSWORD) == 429
    token = await link(kit)
    assert (await reset(kit, token)).status_code == 200
    assert await signs_in(kit, WRONG, ip="198.51.100.9") == 401
    assert await signs_in(kit, NEW) == 200


async def test_asking_never_locks(kit: Kit) -> None:
    """Twenty requests and as many wrong links later the owner signs in as before."""
    await kit.signed_up(ANNA)
    for number in range(20):
        assert (await forgot(kit, ip=f"198.51.100.{number}")).status_code == 202
        assert told(await reset(kit, "A" * 43, browser=kit.browser(f"198.51.100.{number}"))) == INVALID
    assert await signs_in(kit, PASSWORD) == 200


async def test_a_disabled_password_gets_a_successor_that_works(kit: Kit) -> None:
    """After a hundred failures only a reset helps; then the count begins anew: one more failure disables nothing."""
    await kit.signed_up(ANNA)
    for number in range(100):
        assert await signs_in(kit, WRONG, ip=f"198.51.100.{number}") == 401
        kit.clock.turn(timedelta(hours=3))
    assert await signs_in(kit, PASSWORD) == 401
    kit.clock.turn(timedelta(hours=3))
    assert (await reset(kit, await link(kit))).status_code == 200
    assert await signs_in(kit, WRONG) == 401
    assert await signs_in(kit, NEW) == 200


async def test_a_known_browser_that_was_shut_out_gets_in_again(tmp_path: Path) -> None:
    """Twenty failures in a row shut a known browser out until a reset; after it, it is known and let in again."""
    async with running(tmp_path) as kit:
        own = await kit.signed_in(ANNA)
        await own.post("/auth/logout")
        body = {"identifier": ANNA, "password": WRONG}
        for _ in range(20):
            assert (await own.post("/auth/login", json=body)).status_code == 401
            kit.clock.turn(timedelta(hours=3))
        assert (await own.post("/auth/login", json=body | {"password": PASSWORD})).status_code == 429
        assert (await reset(kit, await link(kit), browser=own)).status_code == 200
        for _ in range(2):
            assert (await own.post("/auth/login", json=body | {"password": NEW})).status_code == 200


async def test_a_disabled_account_stays_disabled(kit: Kit) -> None:
    """It gets no mail, a link from before is worthless, and stays so when the account is enabled again."""
    await kit.signed_up(ANNA)
    token = await link(kit)
    anna = await account_id(kit, ANNA)
    await set_status(kit, anna, Status.DISABLED)
    assert (await forgot(kit)).status_code == 202
    assert told(await reset(kit, token)) == INVALID
    await drained(kit)
    assert len(reset_mails(kit)) == 1
    await set_status(kit, anna, Status.ACTIVE)
    assert told(await reset(kit, token)) == INVALID
    assert await signs_in(kit, PASSWORD) == 200


async def test_a_changed_password_ends_links(kit: Kit) -> None:
    """A link that somebody asked for before is worthless once the owner has changed the password."""
    own = await kit.signed_in(ANNA)
    token = await link(kit)
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert (await own.post("/auth/password/change", json=body)).status_code == 200
    assert told(await reset(kit, token, NEWER)) == INVALID
    assert await signs_in(kit, NEW) == 200


async def test_the_mail_goes_to_the_spelling_that_was_proven(kit: Kit) -> None:
    """However the address is written, the mail goes where the proof came from (some systems tell Anna@ from anna@)."""
    await kit.signed_up(ANNA)
    for typed in ("ANNA@Example.COM", " anna@example.com ", "\uff41nna@example.com"):
        assert (await forgot(kit, typed)).status_code == 202
    await kit.mail_to(ANNA, count=4)
    await drained(kit)
    assert {mail["to"] for mail in kit.mailbox.messages()} == {ANNA}


async def test_what_is_no_address_is_refused(kit: Kit) -> None:
    """With 422 and the field's name, before anything is counted or written."""
    before = await dump(kit)
    for typed in ("anna", "anna@", "a b@example.com", "x" * 300 + "@example.com"):
        answer = await forgot(kit, typed)
        assert told(answer) == (422, "invalid_request")
    assert await dump(kit) == before


async def test_three_mails_an_hour(kit: Kit) -> None:
    """The fourth request gets the same answer and no mail; an hour after the first there is one again."""
    await kit.signed_up(ANNA)
    answers: list[httpx2.Response] = []
    tokens: list[str] = []
    for number in range(5):
        answers.append(await forgot(kit, ip=f"198.51.100.{number}"))
        await drained(kit)
        tokens += [token_in(mail) for mail in reset_mails(kit)[len(tokens) :]]
    assert {(one.status_code, one.text) for one in answers} == {(202, '{"status":"reset_sent"}')}
    assert len(tokens) == 3
    newest = tokens[-1]
    kit.clock.turn(timedelta(minutes=59))
    assert (await reset(kit, newest)).status_code == 200, "what is over the limit replaces no link"
    kit.clock.turn(timedelta(minutes=2))
    await link(kit)


async def test_fifty_at_once_bring_three_mails(database_url: str, tmp_path: Path) -> None:
    """The limit holds whoever asks at the same time, and one of the three links works."""
    async with running(tmp_path, database=database_url) as kit:
        await kit.signed_up(ANNA)
        answers = await asyncio.gather(*(forgot(kit, ip=f"198.51.100.{number}") for number in range(50)))
        assert {one.status_code for one in answers} == {202}
        await drained(kit)
        tokens = [token_in(mail) for mail in reset_mails(kit)]
        assert len(set(tokens)) == 3
        statuses = [(await reset(kit, token)).status_code for token in tokens]
        assert sorted(statuses) == [200, 400, 400]


async def test_thirty_an_hour_from_one_network(kit: Kit) -> None:
    """The thirty-first request of a network is refused with 429, whomever it is about; other networks are not."""
    answers = [await forgot(kit, f"somebody{number}@example.com") for number in range(31)]
    assert [one.status_code for one in answers] == [202] * 30 + [429]
    assert int(answers[-1].headers["retry-after"]) > 3000
    assert answers[0].headers["ratelimit"].startswith('"forgot";r=29')
    assert (await forgot(kit, ip="198.51.100.7")).status_code == 202


async def test_wrong_links_are_limited_by_network(kit: Kit) -> None:
    """Thirty wrong ones in fifteen minutes, then 429; a right one counts for nothing."""
    await kit.signed_up(ANNA)
    token = await link(kit)
    for _ in range(29):
        assert told(await reset(kit, "A" * 43)) == INVALID
    assert (await reset(kit, token)).status_code == 200
    assert told(await reset(kit, "A" * 43)) == INVALID
    assert (await reset(kit, "A" * 43)).status_code == 429


async def test_refused_passwords_are_limited_by_account(tmp_path: Path) -> None:
    """Each look at a new password costs hashes, so a link is no way to keep the pool busy; the link stays good."""
    async with running(tmp_path, new_password_tries="5/1h") as kit:
        await kit.signed_up(ANNA)
        token = await link(kit)
        answers = [await reset(kit, token, "short", kit.browser(f"198.51.100.{n}")) for n in range(6)]
        assert [one.status_code for one in answers] == [422] * 5 + [429]
        kit.clock.turn(timedelta(minutes=30))
        assert (await reset(kit, token)).status_code == 429
        kit.clock.turn(timedelta(minutes=31))
        assert (await reset(kit, await link(kit))).status_code == 200


async def test_fifty_resets_with_one_link(database_url: str, tmp_path: Path) -> None:
    """One of them sets its password; the others are refused and change nothing."""
    async with running(tmp_path, database=database_url, new_password_tries="1000/1h", hash_queue=200) as kit:
        await kit.signed_up(ANNA)
        token = await link(kit)
        passwords = [f"harbour number {number} with lanterns" for number in range(50)]
        answers = await asyncio.gather(
            *(
                reset(kit, token, password, kit.browser(f"198.51.100.{number}"))
                for number, password in enumerate(passwords)
            )
        )
        statuses = [answer.status_code for answer in answers]
        assert sorted(statuses) == [200] + [400] * 49
        assert (await journalled(kit)).count("password_reset") == 1
        winner = passwords[statuses.index(200)]
        assert await signs_in(kit, winner) == 200
        losers = [password for password in passwords if password != winner]
        assert await signs_in(kit, losers[0]) == 401
        assert await signs_in(kit, losers[-1]) == 401


async def test_the_journal_says_what_happened(kit: Kit) -> None:
    """Asking, failing and resetting leave their events; nobody's request names no account."""
    await kit.signed_up(ANNA)
    await forgot(kit, "nobody@example.com")
    await reset(kit, "A" * 43)
    await reset(kit, await link(kit))
    seen = [name for name in await journalled(kit) if name.startswith("password")]
    assert seen == [
        "password_reset_requested",
        "password_reset_failed",
        "password_reset_requested",
        "password_reset",
    ]
    rows = (await dump(kit))["journal"]
    outcomes = sorted(row[-1] for row in rows if row[2] == "password_reset_requested")
    assert outcomes == ['{"outcome":"mailed","by":"owner"}', '{"outcome":"nobody","by":"owner"}']


async def test_the_link_leads_to_the_front_end(tmp_path: Path) -> None:
    """With `reset_url` the mail links there, and nowhere else."""
    url = "https://app.example.test/choose-password"
    async with running(tmp_path, reset_url=url, front_end_origins=("https://app.example.test",)) as kit:
        await kit.signed_up(ANNA)
        token = await link(kit)
        assert reset_mails(kit)[-1]["links"][0] == f"{url}?token={token}"
        answer = await kit.browser().post(
            "/auth/password/reset",
            json={"token": token, "new_password": NEW},
            headers={"origin": "https://app.example.test"},
        )
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://app.example.test"
