"""Somebody registers with a passkey in place of a password: it counts once the own mail is redeemed, and never else."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
import sqlalchemy as sa

from ostiary.core.accounts.store import password
from ostiary.engine.features import RIBS
from ostiary.storage.statement import Query
from ostiary.testing import Browser, Kit, running
from ostiary.testing.authenticator import Amiss, SoftwareAuthenticator
from ostiary.testing.drivers import MagicLinkDriver
from ostiary.testing.kit import PASSWORD
from ostiary.testing.passkeys import add_passkey, options_for, sign_in, sign_up
from tests.core.signin.stage import dump, journalled, session_rows
from tests.security.stage import drained, mails_to

ANNA, BERT = "anna@example.com", "bert@example.com"
OPTIONS = {"email": ANNA, "factor": "passkey"}
# What is counted or noted whoever asks; sessions are counted, since one that is used notes it.
MOVING = ("throttle", "journal", "outbox", "session")
PASSWORDS = Query("test.passwords", sa.select(password.c.account_id), str, scan=True)


async def redeem(kit: Kit, browser: Browser, address: str = ANNA, *, count: int = 1) -> httpx2.Response:
    """Follow the link of the newest of `count` mails."""
    token, _ = await kit.verification(address, count=count)
    return await browser.post("/auth/email/verify", json={"token": token})


async def test_an_account_without_a_password(kit: Kit) -> None:
    """Registered, proven, in without a name; codes once; the device lost: the mailbox and a code, and another one."""
    phone, anna = SoftwareAuthenticator(), kit.browser()
    asked = await options_for(anna, "/auth/register/options", OPTIONS)
    assert asked["user"]["name"] == ANNA
    assert asked["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }
    answered = await sign_up(kit, anna, phone, ANNA, "Anna")
    assert (answered.status_code, answered.json()) == (202, {"status": "verification_sent"})
    said = (await kit.mail_to(ANNA))["text"]
    assert "by that device, without a password" in said, "who did not sign up sees what would come of it"
    # A registration is no account: nothing signs in before its mail is redeemed.
    assert (await sign_in(kit, kit.browser(), phone)).status_code == 401
    elsewhere = kit.browser()  # the mail may be read on another device
    assert (await redeem(kit, elsewhere)).json() == {"status": "verified"}
    for browser in (anna, elsewhere):
        assert (await browser.get("/auth/session")).status_code == 401, "proving an address signs nobody in"
    mail = await kit.mail_to(ANNA, count=2)
    assert "second step was added" in mail["subject"].lower() or "passkey" in mail["text"].lower()

    done = await sign_in(kit, anna, phone)
    assert done.json()["status"] == "complete", done.text
    assert (done.json()["user"]["name"], done.json()["session"]["acr"]) == ("Anna", "2")
    codes = done.json()["backup_codes"]
    assert len(codes) == 10
    assert "backup_codes" not in (await sign_in(kit, kit.browser(), phone)).json(), "shown once"
    assert await kit.engine.core.database.all(PASSWORDS) == []
    tried = await kit.browser().post("/auth/login", json={"identifier": ANNA, "password": ""})
    assert tried.status_code == 401
    events = await journalled(kit)
    assert [events.count(one) for one in ("factor_added", "backup_codes_issued")] == [1, 1]

    # The phone is lost.
    link = MagicLinkDriver()
    browser = kit.browser()
    waits = await link.enter(browser, ANNA, await link.prepare(kit, browser, ANNA))
    assert waits.json()["factors"] == ["passkey", "backup_code"]
    answer = {"attempt": waits.json()["attempt"], "factor": "backup_code", "code": codes[3]}
    assert (await browser.post("/auth/login/factor", json=answer)).json()["session"]["acr"] == "2"
    other = SoftwareAuthenticator()
    assert (await add_passkey(kit, browser, other)).json()["backup_codes"] == []
    lost, found = (await browser.get("/auth/passkeys")).json()["passkeys"]
    assert (await browser.delete(f"/auth/passkeys/{lost['id']}")).status_code == 204
    assert found["may_sign_in_alone"]
    assert (await sign_in(kit, kit.browser(), phone)).status_code == 401
    assert (await sign_in(kit, kit.browser(), other)).status_code == 200
    assert await kit.engine.core.database.all(PASSWORDS) == []


@pytest.fixture
async def patient(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine that counts nobody out."""
    async with running(tmp_path, database=database_url, register_per_address="100/h") as kit:
        yield kit


async def test_what_is_refused_changes_nothing(patient: Kit) -> None:
    """Another browser, address, ceremony, device without a PIN, somebody's credential, too late, twice: refused."""
    kit, bert = patient, await patient.signed_in(BERT)
    (await add_passkey(kit, bert, theirs := SoftwareAuthenticator())).raise_for_status()
    anna, carl = kit.browser(), kit.browser()
    made = SoftwareAuthenticator().create(
        await options_for(anna, "/auth/register/options", OPTIONS), kit.base_url
    )
    for_adding = SoftwareAuthenticator().create(
        await options_for(bert, "/auth/passkeys/register/options"), kit.base_url
    )
    await drained(kit)
    moving: tuple[str, ...] = MOVING
    before, sessions = await dump(kit, without=moving), len(await session_rows(kit))

    async def refused(
        browser: Browser, code: str, response: object, address: str = ANNA, status: int = 422
    ) -> None:
        answered = await browser.post(
            "/auth/register", json=OPTIONS | {"email": address, "response": response}
        )
        assert (answered.status_code, answered.json()["code"]) == (status, code), answered.text
        assert await dump(kit, without=moving) == before
        assert len(await session_rows(kit)) == sessions

    await refused(carl, "passkey_refused", made)
    await refused(anna, "passkey_refused", made, "carl@example.com")
    await refused(bert, "passkey_refused", for_adding)
    await refused(anna, "passkey_refused", {})
    for amiss, status, code in (
        (Amiss(says={"origin": "https://evil.example"}), 422, "passkey_refused"),
        (Amiss(rp_id="evil.example"), 422, "passkey_refused"),
        (Amiss(says={"crossOrigin": True, "topOrigin": "https://evil.example"}), 422, "passkey_refused"),
        (Amiss(credential_id=theirs.credentials[0].id), 409, "passkey_known"),
    ):
        options = await options_for(
            carl, "/auth/register/options", OPTIONS | {"email": f"x{status}@example.com"}
        )
        wrong = SoftwareAuthenticator().create(options, kit.base_url, amiss=amiss)
        await refused(carl, code, wrong, f"x{status}@example.com", status)
    key = SoftwareAuthenticator(verifies=False)
    options = await options_for(carl, "/auth/register/options", OPTIONS | {"email": "key@example.com"})
    await refused(carl, "passkey_unverified", key.create(options, kit.base_url), "key@example.com", 401)
    # The API says what is wrong with the rest.
    for body in (
        OPTIONS | {"email": "nobody"},
        OPTIONS | {"factor": "totp"},
    ):
        assert (await carl.post("/auth/register/options", json=body)).json()["code"] == "invalid_request"
    for more in ({"password": PASSWORD, "response": made}, {}, {"response": made, "factor": None}):
        assert (await carl.post("/auth/register", json=OPTIONS | more)).status_code == 422
    assert await dump(kit, without=MOVING) == before

    twice = SoftwareAuthenticator().create(
        await options_for(anna, "/auth/register/options", OPTIONS), kit.base_url
    )
    kit.clock.turn(timedelta(hours=2))  # the address's windows are empty again, and what was asked for is old
    moving = (*MOVING, "once", "revocation")  # what has expired is swept
    before = await dump(kit, without=moving)
    await refused(anna, "passkey_refused", made)
    await refused(anna, "passkey_refused", twice)
    twice = SoftwareAuthenticator().create(
        await options_for(anna, "/auth/register/options", OPTIONS), kit.base_url
    )
    assert (await anna.post("/auth/register", json=OPTIONS | {"response": twice})).status_code == 202
    await drained(kit)
    before = await dump(kit, without=moving)
    await refused(anna, "passkey_refused", twice)


async def test_whose_the_account_becomes(kit: Kit) -> None:
    """Two register one address: whose link is followed has it; replays, the other's code and late links do nothing."""
    anna, bert = kit.browser(), kit.browser()
    hers, his = SoftwareAuthenticator(), SoftwareAuthenticator()
    assert (await sign_up(kit, anna, hers, ANNA)).status_code == 202
    mine, _ = await kit.verification(ANNA)
    assert (await sign_up(kit, bert, his, ANNA)).status_code == 202
    others, code = await kit.verification(ANNA, count=2)
    assert (await anna.post("/auth/email/verify", json={"token": mine})).status_code == 200
    await drained(kit)
    before = await dump(kit, without=MOVING)
    for spent in ({"token": mine}, {"token": others}, {"email": ANNA, "code": code}):
        answered = await bert.post("/auth/email/verify", json=spent)
        assert answered.json()["code"] == "verification_invalid"
    after = await dump(kit, without=MOVING)
    # What was tried of the other registration is spent; nothing else has moved.
    assert {name for name in after if after[name] != before[name]} <= {"once", "address_claim"}
    assert (await sign_in(kit, bert, his)).status_code == 401
    assert (await sign_in(kit, anna, hers)).status_code == 200

    # Somebody who has an account: its owner is told, and nothing comes of the passkey.
    taken = SoftwareAuthenticator()
    assert (await sign_up(kit, bert, taken, ANNA)).status_code == 202
    await drained(kit)
    assert "already" in (await kit.mail_to(ANNA))["text"].lower()
    assert (await sign_in(kit, bert, taken)).status_code == 401

    # A week later a registration has expired.
    late = SoftwareAuthenticator()
    assert (await sign_up(kit, bert, late, BERT)).status_code == 202
    token, _ = await kit.verification(BERT)
    kit.clock.turn(timedelta(days=8))
    assert (await bert.post("/auth/email/verify", json={"token": token})).status_code == 400
    assert (await sign_in(kit, bert, late)).status_code == 401


async def test_a_credential_belongs_to_one_account(kit: Kit) -> None:
    """Two registrations with one credential: the first that is redeemed has it, the other one becomes nothing."""
    first, second = SoftwareAuthenticator(), SoftwareAuthenticator()
    assert (await sign_up(kit, kit.browser(), first, ANNA)).status_code == 202
    copied = Amiss(credential_id=first.credentials[0].id)
    assert (await sign_up(kit, kit.browser(), second, BERT, amiss=copied)).status_code == 202
    assert (await redeem(kit, kit.browser())).status_code == 200
    await kit.verification(BERT)
    await drained(kit)
    before = await dump(kit, without=MOVING)
    answered = await redeem(kit, kit.browser(), BERT)
    assert (answered.status_code, answered.json()["code"]) == (409, "passkey_known")
    assert await dump(kit, without=MOVING) == before
    assert (await sign_in(kit, kit.browser(), first)).json()["user"]["email"] == ANNA


async def test_any_other_first_proof_leaves_it_behind(database_url: str, tmp_path: Path) -> None:
    """Reset by mail, and an account that may be used before its proof: a stranger's passkey never comes along (L10)."""
    async with running(tmp_path, database=database_url, verify_email="optional") as kit:
        stranger, theirs = kit.browser(), SoftwareAuthenticator()
        assert (await sign_up(kit, stranger, theirs, ANNA)).status_code == 202
        # Also where accounts may be used before their proof, one without a password waits for it.
        assert (await sign_in(kit, stranger, theirs)).status_code == 401
        await kit.verification(ANNA)
        await drained(kit)
        owner = kit.browser()
        (await owner.post("/auth/password/forgot", json={"email": ANNA})).raise_for_status()
        mail = await kit.mail_to(ANNA, count=2)
        token = mail["text"].partition("token=")[2].split()[0]
        reset = {"token": token, "new_password": PASSWORD}
        (await owner.post("/auth/password/reset", json=reset)).raise_for_status()
        assert (await sign_in(kit, stranger, theirs)).status_code == 401
        done = await owner.post("/auth/login", json={"identifier": ANNA, "password": PASSWORD})
        assert done.json()["status"] == "complete"

        # Two registered, one with a password: nobody can tell whose the account is, so nothing of either counts.
        body = {"email": BERT, "password": PASSWORD}
        (await kit.browser().post("/auth/register", json=body)).raise_for_status()
        await kit.verification(BERT)
        passkey = SoftwareAuthenticator()
        assert (await sign_up(kit, stranger, passkey, BERT)).status_code == 202
        assert (await redeem(kit, kit.browser(), BERT, count=2)).status_code == 200
        assert (await sign_in(kit, stranger, passkey)).status_code == 401
        tried = await kit.browser().post("/auth/login", json={"identifier": BERT, "password": PASSWORD})
        assert tried.json()["code"] == "email_not_verified", "as for any registration that waits"


async def test_without_the_feature_of_passwords(database_url: str, tmp_path: Path) -> None:
    """Neither passwords' pages nor links by mail are needed; what proves no address invites nobody."""
    gone = {"password", "magic_link", "totp", "email_code"}
    ribs = tuple(rib for rib in RIBS if rib.name not in gone)
    async with running(tmp_path, database=database_url, ribs=ribs) as kit:
        anna, phone = kit.browser(), SoftwareAuthenticator()
        assert (await sign_up(kit, anna, phone, ANNA)).status_code == 202
        assert (await redeem(kit, anna)).status_code == 200
        assert len((await sign_in(kit, anna, phone)).json()["backup_codes"]) == 10
        assert mails_to(kit, ANNA) >= 1
    ribs = tuple(rib for rib in RIBS if rib.name != "email_verification")
    (tmp_path / "unproven").mkdir()
    async with running(tmp_path / "unproven", ribs=ribs, verify_email="optional") as kit:
        assert (await kit.browser().post("/auth/register/options", json=OPTIONS)).status_code == 404
        assert "passkey instead" not in (await kit.browser().get("/signup")).text
    (tmp_path / "closed").mkdir()
    async with running(tmp_path / "closed", registration_open=False) as kit:
        answered = await kit.browser().post("/auth/register/options", json=OPTIONS)
        assert answered.json()["code"] == "registration_closed"
