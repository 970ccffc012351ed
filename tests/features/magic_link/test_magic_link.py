"""Signing in by a link from a mail: which browser it works in, how often, for how long, and what it never skips."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from ostiary.core.accounts.accounts import Status
from ostiary.engine.features import RIBS
from ostiary.features.magic_link.way import ASKED
from ostiary.testing import Browser, Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import (
    RACING,
    account_id,
    answer,
    dump,
    journalled,
    login,
    session_rows,
    set_status,
)
from tests.features.magic_link.stage import ANNA, asked, code_shown, link, links, redeem
from tests.security.stage import drained
from tests.support.ribs import WordOfTheDay

WRONG_CODES = ["000000", "12345", "1234567", "", "\uff11\uff12\uff13\uff14\uff15\uff16", "12 34", "abcdef"]


@pytest.fixture
def day() -> WordOfTheDay:
    """A second factor."""
    return WordOfTheDay()


@pytest.fixture
async def guarded(database_url: str, tmp_path: Path, day: WordOfTheDay) -> AsyncIterator[Kit]:
    """An engine with that factor, and a throttle that stops no race."""
    async with running(tmp_path, database=database_url, ribs=(*RIBS, day.rib), **RACING) as kit:
        yield kit


async def test_the_browser_that_asked_signs_in_once(kit: Kit) -> None:
    """The link signs in where it was asked for, and never a second time."""
    await kit.signed_up(ANNA)
    browser = kit.browser()
    token = await link(kit, browser, next="/account/sessions")
    done = await redeem(browser, token=token)
    assert done.status_code == 200
    assert done.json()["status"] == "complete"
    assert done.json()["session"]["amr"] == ["email"]
    assert done.json()["session"]["acr"] == "1"
    assert done.json()["redirect_to"] == "/account/sessions"
    assert (await browser.get("/auth/session")).json()["user"]["email"] == ANNA
    again = await redeem(browser, token=token)
    assert (again.status_code, again.json()["code"]) == (401, "invalid_credentials")


async def test_another_browser_is_shown_a_code_for_the_first(kit: Kit) -> None:
    """Opened elsewhere the link signs nobody in; its code does, once, in the browser that asked."""
    await kit.signed_up(ANNA)
    browser, elsewhere = kit.browser(), kit.browser("198.51.100.9")
    token = await link(kit, browser)
    assert (await redeem(elsewhere, token=token)).json()["code"] == "invalid_credentials"
    code = await code_shown(kit, token)
    assert (await redeem(elsewhere, code=code)).json()["code"] == "invalid_credentials"
    assert (await redeem(browser, code=f"{code[:3]} {code[3:]}")).json()["status"] == "complete"
    assert (await redeem(browser, code=code)).json()["code"] == "invalid_credentials"
    assert (await redeem(browser, token=token)).json()["code"] == "invalid_credentials"
    assert (await elsewhere.get("/auth/session")).status_code == 401


async def test_asking_in_another_browser_gives_no_hold_on_the_first_ones_link(kit: Kit) -> None:
    """A browser that asked for its own account's link cannot use somebody else's, nor that one's code."""
    await kit.signed_up(ANNA)
    await kit.signed_up("mallory@example.com")
    anna, mallory = kit.browser(), kit.browser("198.51.100.9")
    await link(kit, mallory, "mallory@example.com")
    token = await link(kit, anna)
    assert (await redeem(mallory, token=token)).json()["code"] == "invalid_credentials"
    assert (await redeem(mallory, code=await code_shown(kit, token))).json()["code"] == "invalid_credentials"
    assert (await redeem(anna, token=token)).json()["user"]["email"] == ANNA


async def test_the_newest_link_only(kit: Kit) -> None:
    """A newer link ends the older one and the older one's code."""
    await kit.signed_up(ANNA)
    first, second = kit.browser(), kit.browser()
    old = await link(kit, first)
    code = await code_shown(kit, old)
    new = await link(kit, second)
    assert (await redeem(first, token=old)).json()["code"] == "invalid_credentials"
    assert (await redeem(first, code=code)).json()["code"] == "invalid_credentials"
    assert (await redeem(second, token=new)).json()["status"] == "complete"


async def test_ten_minutes(kit: Kit) -> None:
    """After ten minutes neither link nor code works, and the page says so."""
    await kit.signed_up(ANNA)
    browser = kit.browser()
    token = await link(kit, browser)
    code = await code_shown(kit, token)
    kit.clock.turn(timedelta(minutes=10))
    assert (await redeem(browser, token=token)).status_code == 401
    assert (await redeem(browser, code=code)).status_code == 401
    assert (await browser.get(f"/login/link?token={token}")).status_code == 400


async def test_looking_spends_nothing(kit: Kit) -> None:
    """Scanners follow links by GET and HEAD, as often as they like and from anywhere; nothing is written."""
    await kit.signed_up(ANNA)
    browser = kit.browser()
    token = await link(kit, browser)
    await drained(kit)
    before = await dump(kit)
    for looking in (browser, kit.browser("198.51.100.9")):
        for _ in range(3):
            assert (await looking.get(f"/login/link?token={token}")).status_code == 200
            assert (await looking.head(f"/login/link?token={token}")).status_code == 200
    assert await dump(kit) == before
    assert (await redeem(browser, token=token)).json()["status"] == "complete"


async def test_wrong_codes_run_out(guarded: Kit) -> None:
    """Five wrong codes, and the right one works no more; what is no six digits costs none of them."""
    await guarded.signed_up(ANNA)
    browser = guarded.browser()
    token = await link(guarded, browser)
    code = await code_shown(guarded, token)
    for wrong in WRONG_CODES[1:]:
        refused = await redeem(browser, code=wrong)
        assert refused.status_code in (401, 422), wrong
    wrong = "000000" if code != "000000" else "000001"
    for _ in range(5):
        assert (await redeem(browser, code=wrong)).json()["code"] == "invalid_credentials"
    assert (await redeem(browser, code=code)).json()["code"] == "invalid_credentials"
    assert (await redeem(browser, token=token)).json()["status"] == "complete", "the link itself still works"


async def test_wrong_codes_count_as_failures_of_the_account(kit: Kit) -> None:
    """Four wrong codes and one wrong password lock the account, like five wrong passwords (L09)."""
    await kit.signed_up(ANNA)
    browser = kit.browser()
    token = await link(kit, browser)
    wrong = "000000" if await code_shown(kit, token) != "000000" else "000001"
    for _ in range(4):
        assert (await redeem(browser, code=wrong)).status_code == 401
    assert (await login(kit.browser("198.51.100.7"), ANNA, "not the password at all")).status_code == 401
    locked = await redeem(browser, token=token)
    assert (locked.status_code, locked.json()["code"]) == (429, "too_many_attempts")
    assert (await login(kit.browser("198.51.100.8"), ANNA)).status_code == 429


async def test_a_link_never_skips_the_second_factor(guarded: Kit, day: WordOfTheDay) -> None:
    """With a factor enrolled the link is the first step only; no session or session cookie exists before the second."""
    await guarded.signed_up(ANNA)
    day.words[await account_id(guarded, ANNA)] = "swordfish"
    browser = guarded.browser()
    token = await link(guarded, browser)
    waits = (await redeem(browser, token=token)).json()
    assert (waits["status"], waits["factors"]) == ("factor_required", ["word"])
    assert await session_rows(guarded) == []
    assert guarded.engine.app.edge.cookies.session not in browser.cookies
    assert (await answer(browser, waits["attempt"], "wrong")).status_code == 401
    done = (await answer(browser, waits["attempt"], "swordfish")).json()
    assert (done["status"], done["session"]["amr"]) == ("complete", ["email", "otp", "mfa"])


@pytest.mark.parametrize("by", ["token", "code"])
async def test_of_fifty_redeems_one_wins(guarded: Kit, by: str) -> None:
    """However many requests bring the same link or code at once, one session comes of it (L05)."""
    await guarded.signed_up(ANNA)
    browser = guarded.browser()
    token = await link(guarded, browser)
    given = token if by == "token" else await code_shown(guarded, token)
    cookies = dict(browser.cookies)
    racing = [guarded.browser(cookies=cookies) for _ in range(50)]
    answers = await asyncio.gather(*[redeem(one, **{by: given}) for one in racing])
    assert [one.status_code for one in answers].count(200) == 1
    assert {one.status_code for one in answers} <= {200, 401, 429}
    assert len(await session_rows(guarded)) == 1


async def test_a_disabled_account_gets_no_mail_and_its_link_dies(kit: Kit) -> None:
    """Disabling ends links that are under way, and none is sent any more; the answer stays the same."""
    await kit.signed_up(ANNA)
    browser = kit.browser()
    token = await link(kit, browser)
    await set_status(kit, await account_id(kit, ANNA), Status.DISABLED)
    assert (await redeem(browser, token=token)).json()["code"] == "invalid_credentials"
    await asked(kit, kit.browser())
    await kit.signed_up("bob@example.com")  # its mail leaves after whatever came before
    assert len(links(kit)) == 1


async def test_somebody_elses_password_dies_with_the_first_proof(database_url: str, tmp_path: Path) -> None:
    """Where unproven accounts may sign in, whoever reads the mailbox takes over: what was before ends (L10)."""
    async with running(tmp_path, database=database_url, verify_email="optional") as kit:
        mallory = kit.browser("198.51.100.9")
        await mallory.post("/auth/register", json={"email": ANNA, "password": PASSWORD})
        await login(mallory, ANNA)
        assert (await mallory.get("/auth/session")).status_code == 200
        anna = kit.browser()
        token = await link(kit, anna)
        done = (await redeem(anna, token=token)).json()
        assert (done["status"], done["user"]["email_verified"]) == ("complete", True)
        assert (await mallory.get("/auth/session")).json()["code"] == "session_ended"
        # What Mallory knows is that a registration still waits; proving it now comes to nothing.
        assert (await login(mallory, ANNA)).json()["code"] == "email_not_verified"
        assert (await anna.get("/auth/session")).status_code == 200
        assert {"credentials_voided", "email_verified"} <= set(await journalled(kit))


async def test_a_proven_owner_keeps_the_password(kit: Kit) -> None:
    """Signing in by mail changes nothing about an account whose address was proven before."""
    await kit.signed_up(ANNA)
    other = await kit.sign_in(ANNA)
    browser = kit.browser()
    assert (await redeem(browser, token=await link(kit, browser))).json()["status"] == "complete"
    assert (await other.get("/auth/session")).status_code == 200
    assert (await login(kit.browser(), ANNA)).status_code == 200


async def test_staying_signed_in_is_decided_when_asking(kit: Kit) -> None:
    """`remember` travels with the request for the link."""
    await kit.signed_up(ANNA)
    browser = kit.browser()
    token = await link(kit, browser, remember=True)
    expires = (await redeem(browser, token=token)).json()["session"]["expires_at"]
    assert expires[:10] == (kit.clock.now() + timedelta(days=30)).date().isoformat()


async def _asked_by_program(kit: Kit, program: Browser) -> tuple[str, str]:
    """The attempt that a program keeps, and the link that was mailed for it; no cookie is involved."""
    before = len(links(kit))
    sent = await program.post("/auth/magic-link", json={"email": ANNA, "delivery": "tokens"})
    assert (sent.status_code, sent.json()["status"]) == (202, "link_sent")
    assert not program.cookies
    attempt: str = sent.json()["attempt"]
    await drained(kit)
    assert len(links(kit)) == before + 1
    return attempt, links(kit)[-1]


async def test_a_program_keeps_what_a_browser_has_in_its_cookie(kit: Kit) -> None:
    """The link, or the code that a browser shows for it, signs in with the attempt, once; the answer is tokens."""
    await kit.signed_up(ANNA)
    for by in ("token", "code"):
        program = kit.browser()
        attempt, token = await _asked_by_program(kit, program)
        shown = await code_shown(kit, token)
        right = {"attempt": attempt, "delivery": "tokens", by: token if by == "token" else shown}
        done = await redeem(program, **right)
        assert done.json()["status"] == "complete", done.text
        assert done.json()["session"]["amr"] == ["email"]
        assert not program.cookies
        headers = {"authorization": f"Bearer {done.json()['access_token']}"}
        assert (await kit.browser().get("/auth/session", headers=headers)).json()["user"]["email"] == ANNA
        again = await redeem(program, **right)
        assert (again.status_code, again.json()["code"]) == (401, "invalid_credentials")


async def test_an_attempt_of_a_program_is_worth_nothing_elsewhere(kit: Kit) -> None:
    """Not as a browser's cookie, not with another attempt's link, not after it; nor is a cookie's of use to programs.

    Somebody else's attempt never signs a browser in.
    """
    await kit.signed_up(ANNA)
    program, browser = kit.browser(), kit.browser()
    older, _ = await _asked_by_program(kit, kit.browser())
    attempt, token = await _asked_by_program(kit, program)
    before = len(await session_rows(kit))
    browser.cookies.set(kit.engine.app.edge.cookies.pre, attempt)
    for given in (
        {"token": token},
        {"token": token, "attempt": older, "delivery": "tokens"},
        {"token": token, "attempt": "nonsense", "delivery": "tokens"},
    ):
        refused = await redeem(browser, **given)
        assert (refused.status_code, refused.json()["code"]) == (401, "invalid_credentials"), given
    for given in ({"token": token, "delivery": "tokens"}, {"token": token, "attempt": attempt}):
        assert (await redeem(browser, **given)).status_code == 422
    own = kit.browser()
    own_token = await link(kit, own)
    kept = own.cookies[kit.engine.app.edge.cookies.pre]
    stolen = await redeem(program, token=own_token, attempt=kept, delivery="tokens")
    assert stolen.json()["code"] == "invalid_credentials"
    assert len(await session_rows(kit)) == before
    script = kit.browser(headers={"origin": kit.base_url, "sec-fetch-site": "same-origin"})
    body = {"email": ANNA, "delivery": "tokens"}
    assert (await script.post("/auth/magic-link", json=body)).json()["code"] == "delivery_not_allowed"
    strangers = await kit.browser().post("/auth/magic-link", json=body | {"email": "nobody@example.com"})
    assert set(strangers.json()) == {"status", "attempt"}


async def test_what_another_release_sealed_is_over(kit: Kit) -> None:
    """While servers are replaced one by one, a request with more or fewer members is none, and no error."""
    await kit.signed_up(ANNA)
    ring, program = kit.engine.core.ring, kit.browser()
    attempt, token = await _asked_by_program(kit, program)
    document = orjson.loads(ring.open_sealed(ASKED, attempt) or b"")
    for other in (document[:-1], [*document, "more"]):
        sealed = ring.seal(ASKED, orjson.dumps(other))
        refused = await redeem(program, token=token, attempt=sealed, delivery="tokens")
        assert (refused.status_code, refused.json()["code"]) == (401, "invalid_credentials")
    assert (await redeem(program, token=token, attempt=attempt, delivery="tokens")).status_code == 200


async def test_a_program_is_asked_for_the_second_factor(guarded: Kit, day: WordOfTheDay) -> None:
    """The link alone gives no token; the attempt that follows goes on with the factor."""
    await guarded.signed_up(ANNA)
    day.words[await account_id(guarded, ANNA)] = "heron"
    program = guarded.browser()
    attempt, token = await _asked_by_program(guarded, program)
    waits = await redeem(program, token=token, attempt=attempt, delivery="tokens")
    assert (waits.json()["status"], "access_token" in waits.json()) == ("factor_required", False)
    body = {"attempt": waits.json()["attempt"], "factor": "word", "code": "heron", "delivery": "tokens"}
    done = (await program.post("/auth/login/factor", json=body)).json()
    assert (done["status"], done["session"]["acr"]) == ("complete", "2")
    assert done["access_token"]


async def test_five_links_an_hour(kit: Kit) -> None:
    """The sixth request for an address is refused, from wherever it comes, known or not."""
    await kit.signed_up(ANNA)
    for email in (ANNA, "nobody@example.com"):
        for number in range(5):
            await asked(kit, kit.browser(f"198.51.100.{number}"), email)
        sixth = await kit.browser("198.51.100.77").post("/auth/magic-link", json={"email": email})
        assert (sixth.status_code, sixth.json()["code"]) == (429, "too_many_attempts")


async def test_only_places_that_are_ours_follow(kit: Kit) -> None:
    """A foreign `next` is dropped (L25)."""
    await kit.signed_up(ANNA)
    browser = kit.browser()
    token = await link(kit, browser, next="https://evil.example/")
    assert (await redeem(browser, token=token)).json()["redirect_to"] is None
