"""A sign-in from a device that the account does not know is told to its owner, who can say that it was not them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ostiary.core.accounts.accounts import Status
from ostiary.features.alerts import flow
from ostiary.kernel.errors import Refused
from ostiary.testing import Browser, Kit, running
from ostiary.testing.authenticator import SoftwareAuthenticator
from ostiary.testing.kit import PASSWORD
from ostiary.testing.passkeys import add_passkey, sign_in
from tests.core.signin.stage import account_id, changed, dump, journalled, login, session_rows, set_status
from tests.features.password.stage import NEW, add_address, change, reset, token_in
from tests.features.tokens.stage import code_of, pair_of, refresh
from tests.features.totp.stage import enrolled
from tests.security.stage import drained

ANNA = "anna@example.com"
SECOND = "anna@work.example.com"
THIEF = "thief@example.net"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) Version/18.6 Mobile/15E148 Safari/604.1"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:{}.0) Gecko/20100101 Firefox/{}.0"
FAR = "203.0.113.77"
# What a refusal may change: counters, the journal, the way of mails.
MOVING = ("throttle", "journal", "outbox")


@pytest.fixture
async def kit(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """A running engine; Anna signed up and in from home, in a browser that is known since."""
    async with running(tmp_path, database=database_url) as kit:
        await kit.signed_in(ANNA)
        yield kit


def told(kit: Kit, address: str = ANNA) -> list[dict[str, Any]]:
    """The mails about unusual sign-ins that came to an address."""
    found = [mail for mail in kit.mailbox.messages() if mail["to"] == address]
    return [mail for mail in found if mail["subject"].startswith("An unusual sign-in")]


async def stranger(kit: Kit, ip: str = FAR, agent: str = PHONE, **given: Any) -> Browser:
    """Somebody who knows the password signs in with a browser of their own."""
    browser = kit.browser(ip, headers={"user-agent": agent})
    answer = await login(browser, ANNA, **given)
    assert (answer.status_code, answer.json()["status"]) == (200, "complete"), answer.text
    await drained(kit)
    return browser


async def say(kit: Kit, token: str, browser: Browser | None = None) -> httpx2.Response:
    """Say that it was not me."""
    return await (browser or kit.browser("198.51.100.9")).post("/auth/not-me", json={"token": token})


async def test_a_new_device_is_told_once(kit: Kit) -> None:
    """Of a strange browser, with time, place and device; not of its next sign-in, nor of one that was known."""
    await drained(kit)
    assert told(kit) == [], "the first sign-in of an account is nobody's surprise"
    phone = await stranger(kit)
    (mail,) = told(kit)
    assert FAR in mail["text"]
    assert "iPhone" in mail["text"]
    assert mail["links"][0].startswith("https://auth.example.test/not-me?token=")
    assert (await journalled(kit)).count("suspicious_login") == 1

    await login(phone, ANNA)  # carries the note of its first sign-in
    await stranger(kit)  # a private window of the same phone
    await stranger(kit, ip="192.0.2.10", agent="")  # as at home
    assert len(told(kit)) == 1
    await stranger(kit, ip="198.51.100.3")
    await stranger(kit, agent=FIREFOX.format(140, 140))
    updated = await stranger(kit, agent=FIREFOX.format(141, 141))  # the same one after its update
    assert len(told(kit)) == 3
    activity = (await updated.get("/account/activity")).text
    assert "has not seen this device" in activity


async def test_programs_too(kit: Kit) -> None:
    """A session that is delivered as tokens carries no note; it is known by where it came from."""
    for _ in range(2):
        await stranger(kit, agent="shop-cli/2.1", delivery="tokens")
    assert len(told(kit)) == 1


async def test_after_a_second_step(kit: Kit) -> None:
    """A sign-in that took two steps is told when it is complete, and not before."""
    app = await enrolled(kit, await kit.sign_in(ANNA))
    browser = kit.browser(FAR, headers={"user-agent": PHONE})
    attempt = (await login(browser, ANNA)).json()["attempt"]
    await drained(kit)
    assert told(kit) == []
    answer = {"attempt": attempt, "factor": "totp", "code": app.fresh_code()}
    assert (await browser.post("/auth/login/factor", json=answer)).json()["status"] == "complete"
    await drained(kit)
    assert len(told(kit)) == 1


async def test_a_sleeping_account(kit: Kit) -> None:
    """Long after its last session was swept there is nothing to compare with: then everybody is new."""
    kit.clock.turn(timedelta(days=300))
    await changed(kit, lambda change: kit.engine.core.sessions.sweep(change.tx, 100))
    assert await session_rows(kit) == []
    await stranger(kit, ip="192.0.2.10", agent="")
    assert len(told(kit)) == 1


async def test_this_was_not_me(kit: Kit) -> None:
    """From any device, without a session: all sessions and tokens end, the password is shut, a reset link comes."""
    anna = await kit.sign_in(ANNA)
    pair = await pair_of(kit)
    thief = await stranger(kit)
    waits = kit.browser()
    assert (await say(kit, token_in(told(kit)[0]), waits)).json() == {"status": "disowned"}
    for browser in (anna, thief):
        assert code_of(await browser.get("/auth/session")) == "session_ended"
    assert code_of(await refresh(kit, pair["refresh_token"])) == "session_ended"
    assert code_of(await login(thief, ANNA)) == "invalid_credentials"
    assert waits.cookies.get(kit.engine.app.edge.cookies.session) is None, "it signs nobody in"

    await drained(kit)
    mails = [mail for mail in kit.mailbox.messages() if mail["to"] == ANNA][-2:]
    link, notice = sorted(mails, key=lambda mail: "shut" in mail["subject"])
    assert notice["subject"] == "Your ostiary account was shut to everybody"
    assert (await reset(kit, token_in(link))).status_code == 200
    assert code_of(await login(kit.browser(), ANNA)) == "invalid_credentials"
    assert (await login(kit.browser(), ANNA, NEW)).json()["status"] == "complete"


async def test_a_place_that_was_disowned_is_new_again(kit: Kit) -> None:
    """Whoever was thrown out and comes back with the new password, from the same place, is told of once more."""
    await stranger(kit)
    assert (await say(kit, token_in(told(kit)[0]))).status_code == 200
    await drained(kit)
    link = next(mail for mail in reversed(kit.mailbox.messages()) if "reset?token" in mail["text"])
    assert (await reset(kit, token_in(link))).status_code == 200
    kit.clock.turn(timedelta(days=2))
    await stranger(kit, password=NEW)
    assert len(told(kit)) == 2


async def test_the_thief_was_quicker(kit: Kit) -> None:
    """Who changes the password and the primary address at once keeps nothing: the link goes where the mail went."""
    thief = await stranger(kit)
    anna = await account_id(kit, ANNA)
    token = token_in(told(kit)[0])
    assert (await change(thief, NEW, PASSWORD)).status_code == 200
    await add_address(kit, anna, "thief@example.net", verified_at=2)
    before = len(kit.mailbox.messages())
    assert (await say(kit, token)).status_code == 200
    await drained(kit)
    assert code_of(await thief.get("/auth/session")) == "session_ended"
    assert code_of(await login(kit.browser(), ANNA, NEW)) == "invalid_credentials"
    links = [mail["to"] for mail in kit.mailbox.messages()[before:] if "reset?token" in mail["text"]]
    assert links == [ANNA]


async def test_every_address_has_a_link_of_its_own(kit: Kit) -> None:
    """Each proven address is told; the first link that is used leaves the others good, and the reset goes there."""
    anna = await account_id(kit, ANNA)
    await add_address(kit, anna, SECOND, verified_at=2)
    await add_address(kit, anna, "unproven@example.com", verified_at=None)
    await stranger(kit)
    assert [len(told(kit, to)) for to in (ANNA, SECOND, "unproven@example.com")] == [1, 1, 0]
    before = len(kit.mailbox.messages())
    assert (await say(kit, token_in(told(kit, SECOND)[0]))).status_code == 200
    await drained(kit)
    links = [mail["to"] for mail in kit.mailbox.messages()[before:] if "reset?token" in mail["text"]]
    assert links == [SECOND]
    assert (await say(kit, token_in(told(kit)[0]))).status_code == 200


async def test_it_works_once(kit: Kit) -> None:
    """Of eight at once one gets through; wrong, spent and old links change nothing but counters."""
    await stranger(kit)
    token = token_in(told(kit)[0])
    answers = await asyncio.gather(*(say(kit, token) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert (await journalled(kit)).count("sign_in_disowned") == 1

    await drained(kit)
    reset_link = next(
        token_in(mail) for mail in reversed(kit.mailbox.messages()) if "reset?token" in mail["text"]
    )
    before = await dump(kit, without=MOVING)
    for wrong in (token, reset_link, "x" * 43, "é"):
        assert code_of(await say(kit, wrong)) == "alert_invalid"
    assert await dump(kit, without=MOVING) == before
    assert (await reset(kit, token)).status_code == 400, "nor is this link good for a password"
    limited = [(await say(kit, "x" * 43)).status_code for _ in range(30)]
    assert limited[-1] == 429


@pytest.mark.parametrize("how", ["late", "disabled"])
async def test_too_late(kit: Kit, how: str) -> None:
    """After a week, or once the account is disabled, the link does nothing."""
    await stranger(kit)
    token = token_in(told(kit)[0])
    if how == "late":
        kit.clock.turn(timedelta(days=7, seconds=1))
    else:
        await set_status(kit, await account_id(kit, ANNA), Status.DISABLED)
    await drained(kit)
    assert code_of(await say(kit, token)) == "alert_invalid"
    assert "sign_in_disowned" not in await journalled(kit)


async def test_the_page(kit: Kit) -> None:
    """GET and HEAD change nothing and keep the token out of the address; the button shuts the account."""
    thief = await stranger(kit)
    link = told(kit)[0]["links"][0].removeprefix("https://auth.example.test")
    owner = kit.browser("198.51.100.9")
    for _ in range(2):
        assert (await kit.browser().head(link)).status_code in {200, 303}
        moved = await owner.get(link)
        assert (moved.status_code, moved.headers["location"]) == (303, "/not-me")
        page = await owner.get("/not-me")
        assert (page.status_code, FAR in page.text, "iPhone" in page.text) == (200, True, True)
        assert (await thief.get("/auth/session")).status_code == 200
    form = {"token": link.partition("token=")[2]}
    foreign = await owner.post("/not-me", data=form, headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403
    done = await owner.post("/not-me", data=form, headers={"origin": "https://auth.example.test"})
    assert (done.status_code, done.headers["location"]) == (303, "/not-me/done")
    assert code_of(await thief.get("/auth/session")) == "session_ended"
    assert "signed out" in (await owner.get("/not-me/done")).text
    again = await owner.get("/not-me")
    assert (again.status_code, "was used" in again.text) == (400, True)


async def test_it_can_be_switched_off(database_url: str, tmp_path: Path) -> None:
    """With a policy of `allow` nobody is told; the journal says it nevertheless."""
    async with running(tmp_path, database=database_url, risk_new_device="allow") as kit:
        await kit.signed_in(ANNA)
        await stranger(kit)
        assert told(kit) == []
        assert "suspicious_login" in await journalled(kit)


async def settled(kit: Kit, thief: Browser, phone: SoftwareAuthenticator) -> list[dict[str, Any]]:
    """Give an intruder what would let him in again: a passkey, and an address of his own as the primary one."""
    (await add_passkey(kit, thief, phone)).raise_for_status()
    (await thief.post("/auth/emails", json={"email": THIEF})).raise_for_status()
    proof, _ = await kit.verification(THIEF)
    (await thief.post("/auth/emails/verify", json={"token": proof})).raise_for_status()
    listed: list[dict[str, Any]] = (await thief.get("/auth/emails")).json()["emails"]
    mine = next(one["id"] for one in listed if one["email"] == THIEF)
    (await thief.post(f"/auth/emails/{mine}/primary")).raise_for_status()
    return listed


async def forgot(kit: Kit, address: str) -> int:
    """How many links for a new password an address has got, once it has asked for another one."""
    (await kit.browser().post("/auth/password/forgot", json={"email": address})).raise_for_status()
    await drained(kit)
    return sum(mail["to"] == address and "reset?token" in mail["text"] for mail in kit.mailbox.messages())


async def test_the_thief_has_settled_in(kit: Kit) -> None:
    """A passkey and an address that an intruder has added let nobody in again; those of the owner still do."""
    mine, his = SoftwareAuthenticator(), SoftwareAuthenticator()
    (await add_passkey(kit, await kit.sign_in(ANNA), mine)).raise_for_status()
    phone = kit.browser(FAR, headers={"user-agent": PHONE})
    (await sign_in(kit, phone, mine)).raise_for_status()  # it was lent, or asked for in vain
    await settled(kit, phone, his)
    assert (await sign_in(kit, kit.browser(), his)).status_code == 200
    assert (await say(kit, token_in(told(kit)[0]))).status_code == 200
    for passkey in (his, mine):
        assert code_of(await sign_in(kit, kit.browser(), passkey)) == "passkey_unverified"
    assert await forgot(kit, THIEF) == 0
    assert await forgot(kit, ANNA) == 2
    link = [mail for mail in kit.mailbox.messages() if "reset?token" in mail["text"]][-1]
    assert (await reset(kit, token_in(link))).status_code == 200
    owner = kit.browser()
    waits = (await login(owner, ANNA, NEW)).json()
    assert waits["factors"][0] == "passkey"
    asked = {"attempt": waits["attempt"], "factor": "passkey"}
    options = (await owner.post("/auth/login/challenge", json=asked)).json()["challenge"]["options"]
    given = {**asked, "response": mine.get(options, kit.base_url)}
    assert (await owner.post("/auth/login/factor", json=given)).json()["status"] == "complete"
    assert (await owner.get("/auth/emails")).json()["emails"][0]["email"] == ANNA
    assert len((await owner.get("/auth/emails")).json()["emails"]) == 1
    # Beside the new password the owner's is believed again, and alone from then on.
    assert (await sign_in(kit, kit.browser(), mine)).status_code == 200
    assert (await sign_in(kit, kit.browser(), his)).status_code == 401


async def test_the_thief_has_thrown_the_owner_out(kit: Kit) -> None:
    """Where an intruder has removed every address of before, nobody gets in until an operator has decided who it is."""
    thief = await stranger(kit)
    listed = await settled(kit, thief, SoftwareAuthenticator())
    old = next(one["id"] for one in listed if one["email"] == ANNA)
    (await thief.delete(f"/auth/emails/{old}")).raise_for_status()
    assert (await say(kit, token_in(told(kit)[0]))).status_code == 200
    for address in (ANNA, THIEF):
        assert code_of(await login(kit.browser(), address)) == "invalid_credentials"
        assert await forgot(kit, address) == 0
    assert (await journalled(kit)).count("account_disabled") == 1
    core, anna = kit.engine.core, await account_id(kit, THIEF)
    assert [await flow.enable(core, THIEF), await flow.enable(core, THIEF)] == [(anna, True), (anna, False)]
    assert await forgot(kit, THIEF) == 1, "so an operator makes sure first"
    with pytest.raises(Refused, match="not_found"):
        await flow.enable(core, ANNA)
