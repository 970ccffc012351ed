"""A passkey signs in without a name and answers as second step; a challenge works once, and copies are found out."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ostiary.testing import Browser, Kit, running
from ostiary.testing.authenticator import BE, BS, NOTHING, UP, UV, Amiss, SoftwareAuthenticator, encode
from ostiary.testing.passkeys import add_passkey, answer_factor, sign_in, sign_in_options
from tests.core.signin.stage import dump, journalled, login, session_rows
from tests.security.stage import drained

ANNA = "anna@example.com"
MOVING = ("throttle", "journal", "session", "outbox")


async def owner(kit: Kit, *authenticators: SoftwareAuthenticator, address: str = ANNA) -> Browser:
    """Somebody with passkeys, signed in; all mails are delivered."""
    browser = await kit.signed_in(address)
    for one in authenticators:
        (await add_passkey(kit, browser, one)).raise_for_status()
    await drained(kit)
    return browser


@pytest.fixture
async def patient(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine that locks nobody out."""
    async with running(
        tmp_path,
        database=database_url,
        lock_after=100,
        delay_after=1000,
        signin_failures_per_network="1000/h",
    ) as kit:
        yield kit


async def test_signing_in_without_a_name(kit: Kit) -> None:
    """The passkey says whose it is; two of them, either opens; the answer, the list and the options tell no more."""
    phone, laptop = SoftwareAuthenticator(may_be_synced=True, counts=False), SoftwareAuthenticator()
    anna = await owner(kit, phone, laptop)
    asked = [await sign_in_options(kit.browser()) for _ in range(2)]
    assert asked[0]["challenge"] != asked[1]["challenge"]
    assert [one | {"challenge": ""} for one in asked] == [
        {
            "challenge": "",
            "timeout": 300_000,
            "rpId": "auth.example.test",
            "allowCredentials": [],
            "userVerification": "required",
        }
    ] * 2
    for device, method in ((phone, "swk"), (laptop, "hwk")):
        browser = kit.browser()
        done = await sign_in(kit, browser, device, next="/account", remember=True)
        assert (done.json()["status"], done.json()["redirect_to"]) == ("complete", "/account")
        assert (done.json()["session"]["amr"], done.json()["session"]["acr"]) == ([method, "mfa"], "2")
        assert (await browser.get("/auth/session")).json()["user"]["email"] == ANNA
    listed = (await anna.get("/auth/passkeys")).json()["passkeys"]
    assert all(one["last_used_at"] for one in listed)
    # What is found out about a passkey at its last use is known afterwards.
    (await sign_in(kit, kit.browser(), phone, amiss=Amiss(clears=BS))).raise_for_status()
    listed = (await anna.get("/auth/passkeys")).json()["passkeys"]
    assert [(one["may_be_synced"], one["synced"]) for one in listed] == [(True, False), (False, False)]


async def test_what_is_refused_changes_nothing(patient: Kit) -> None:
    """Everything that an answer can have wrong is the same to whoever sends it, opens nothing and spends nothing."""
    kit, phone, bare = patient, SoftwareAuthenticator(), SoftwareAuthenticator(verifies=False)
    await owner(kit, phone)
    await owner(kit, bare, address="bert@example.com")
    before, sessions = await dump(kit, without=MOVING), len(await session_rows(kit))
    told = set()

    async def refused(browser: Browser, device: SoftwareAuthenticator, amiss: Amiss, **given: Any) -> str:
        answered = await sign_in(kit, browser, device, amiss=amiss, **given)
        assert answered.status_code == 401
        assert (await browser.get("/auth/session")).status_code == 401
        code: str = answered.json()["code"]
        if code == "invalid_credentials":
            told.add(repr(answered.json() | {"instance": ""}))
        return code

    browser, thief = kit.browser(), kit.browser()
    for amiss in (
        Amiss(says={"origin": "https://evil.example"}),
        Amiss(says={"origin": "https://auth.example.test.evil.example"}),
        Amiss(says={"crossOrigin": True, "topOrigin": "https://evil.example"}),
        Amiss(says={"type": "webauthn.create"}),
        Amiss(says={"challenge": encode(bytes(64))}),
        Amiss(rp_id="evil.example"),
        Amiss(signs=b"something else"),
        Amiss(user_handle=bytes(64)),
        Amiss(user_handle=b""),
        Amiss(credential_id=b"nobody's"),
        Amiss(sets=BE),
        Amiss(clears=UP),
        Amiss(sends={"response": None}),
    ):
        assert await refused(browser, phone, amiss) == "invalid_credentials"
    options = await sign_in_options(browser)
    await sign_in_options(thief)
    assert await refused(thief, phone, Amiss(), options=options) == "invalid_credentials"
    tokens = await sign_in_options(browser, "tokens")
    assert await refused(browser, phone, Amiss(), options=tokens) == "invalid_credentials"
    assert await refused(browser, phone, Amiss(), options=options, delivery="tokens") == "invalid_credentials"
    kit.clock.turn(timedelta(minutes=5, seconds=1))
    assert await refused(browser, phone, Amiss(), options=options) == "invalid_credentials"
    assert len(told) == 1, "nothing tells one mistake from another"
    # Right, but not enough alone: nobody was verified now, or nobody was when it was added.
    for device, amiss in ((phone, Amiss(clears=UV)), (bare, Amiss()), (bare, Amiss(sets=UV))):
        assert await refused(browser, device, amiss) == "passkey_unverified"
    assert await dump(kit, without=MOVING) == before
    assert len(await session_rows(kit)) == sessions
    assert (await sign_in(kit, browser, phone)).status_code == 200


async def test_a_challenge_works_once(kit: Kit) -> None:
    """Of many requests with one answer one opens, at the same time as later; each passkey counts for itself."""
    phone = SoftwareAuthenticator(counts=False)
    await owner(kit, phone)
    browser = kit.browser()
    options = await sign_in_options(browser)
    before = len(await session_rows(kit))
    response = phone.get(options, kit.base_url)
    pre = kit.engine.app.edge.cookies.pre
    racers = [kit.browser(cookies={pre: browser.cookies[pre]}) for _ in range(4)]
    answered = await asyncio.gather(
        *(one.post("/auth/passkeys/login", json={"response": response}) for one in racers)
    )
    assert sorted(one.status_code for one in answered) == [200, 401, 401, 401]
    late = await kit.browser(cookies={pre: browser.cookies[pre]}).post(
        "/auth/passkeys/login", json={"response": response}
    )
    assert late.json()["code"] == "invalid_credentials"
    assert len(await session_rows(kit)) == before + 1


async def test_a_copy_is_refused_and_reported(kit: Kit) -> None:
    """A counter that does not move on opens nothing, as way in and as second step, and the owner gets a mail."""
    key = SoftwareAuthenticator()
    anna = await owner(kit, key)
    (await sign_in(kit, kit.browser(), key)).raise_for_status()
    seen = key.credentials[0].sign_count
    before = len(await session_rows(kit))
    copied = await sign_in(kit, kit.browser(), key, amiss=Amiss(sign_count=seen))
    assert (copied.status_code, copied.json()["code"]) == (401, "invalid_credentials")
    browser = kit.browser()
    attempt = (await login(browser, ANNA)).json()["attempt"]
    copied = await answer_factor(kit, browser, attempt, key, amiss=Amiss(sign_count=seen - 1))
    assert copied.json()["code"] == "invalid_credentials"
    assert len(await session_rows(kit)) == before
    await drained(kit)
    mails = [mail for mail in kit.mailbox.messages() if "may have been copied" in mail["subject"]]
    assert [mail["to"] for mail in mails] == [ANNA, ANNA]
    assert "not let in" in mails[0]["text"]
    assert (await journalled(kit)).count("passkey_cloned") == 2
    # Without a right signature nobody raises an alarm.
    await sign_in(kit, kit.browser(), key, amiss=Amiss(sign_count=0, signs=b"guess"))
    assert (await journalled(kit)).count("passkey_cloned") == 2
    assert (await sign_in(kit, kit.browser(), key)).status_code == 200, "the true one counts on"
    told = (await anna.get("/auth/account/activity")).json()
    assert "may have been copied" in str(told)


async def test_copies_that_are_only_reported(tmp_path: Path) -> None:
    """Where the operator says so, the sign-in goes on, and the owner learns of it all the same."""
    async with running(tmp_path, passkey_clones="report") as kit:
        key = SoftwareAuthenticator()
        await owner(kit, key)
        for count in (9, 9, 3):
            done = await sign_in(kit, kit.browser(), key, amiss=Amiss(sign_count=count))
            assert done.status_code == 200
        assert (await journalled(kit)).count("passkey_cloned") == 2
        await drained(kit)
        assert "was let in" in (await kit.mail_to(ANNA))["text"]


async def test_the_second_step(patient: Kit) -> None:
    """Named after the password it need not be found nor verify anybody; what it verifies then may sign in alone."""
    kit = patient
    key, other = SoftwareAuthenticator(verifies=False, is_discoverable=False), SoftwareAuthenticator()
    await owner(kit, key)
    await owner(kit, other, address="bert@example.com")
    browser = kit.browser()
    attempt = (await login(browser, ANNA)).json()["attempt"]
    given = {"attempt": attempt, "factor": "passkey"}
    asked = (await browser.post("/auth/login/challenge", json=given)).json()["challenge"]["options"]
    assert asked["userVerification"] == "preferred"
    assert [one["id"] for one in asked["allowCredentials"]] == [encode(key.credentials[0].id)]
    assert asked["allowCredentials"][0]["transports"] == ["usb"]

    def sent(options: dict[str, Any], amiss: Amiss = NOTHING) -> dict[str, Any]:
        return {**given, "response": key.answer(key.credentials[0], options, kit.base_url, amiss=amiss)}

    for wrong in (
        sent(asked, Amiss(says={"origin": "https://evil.example"})),
        sent(asked, Amiss(user_handle=b"somebody else's")),
        sent(await sign_in_options(browser)),  # a challenge for signing in
        {**given, "response": {}},
        {**given, "code": "{}"},
    ):
        answered = await browser.post("/auth/login/factor", json=wrong)
        assert answered.json()["code"] == "invalid_credentials", answered.text
    for neither in ({**given}, {**given, "code": "1", "response": {}}):
        assert (await browser.post("/auth/login/factor", json=neither)).status_code == 422
    # Another sign-in of the same account asks for itself.
    second = kit.browser()
    waiting = (await login(second, ANNA)).json()["attempt"]
    crossed = await second.post("/auth/login/factor", json={**sent(asked), "attempt": waiting})
    assert crossed.json()["code"] == "invalid_credentials"
    kit.clock.turn(timedelta(minutes=5, seconds=1))
    late = await browser.post("/auth/login/factor", json=sent(asked))
    assert late.json()["code"] == "invalid_credentials", "the sign-in still waits, the challenge is over"
    done = await answer_factor(kit, browser, attempt, key, amiss=Amiss(sets=UV))
    assert done.json()["session"]["amr"] == ["pwd", "hwk", "mfa"]
    key.verifies, key.credentials[0].is_discoverable = True, True
    alone = await sign_in(kit, kit.browser(), key)
    assert alone.json()["session"]["acr"] == "2", alone.text
