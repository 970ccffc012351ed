"""Accounts: registering again, proving addresses, and the one gate (L03)."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from ostiary.core.accounts import accounts, store
from ostiary.core.accounts.accounts import Status, lock_active
from ostiary.core.accounts.address import parse_email
from ostiary.kernel.errors import Refused
from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import Rows, account_id, changed, dump, login, session_rows, set_status

ANNA, BERT = "anna@example.com", "bert@example.com"
OTHER = "loud market eleven umbrellas"
TABLES = ("account", "identifier", "password")


async def register(kit: Kit, address: str, password: str = PASSWORD, name: str = "") -> None:
    answered = await kit.browser().post(
        "/auth/register", json={"email": address, "password": password, "name": name}
    )
    assert answered.status_code == 202


async def people(kit: Kit) -> dict[str, Rows]:
    return {name: rows for name, rows in (await dump(kit)).items() if name in TABLES}


async def verify(kit: Kit, **body: str) -> int:
    return (await kit.browser().post("/auth/email/verify", json=body)).status_code


@pytest.mark.parametrize("proven", [0, 1])
async def test_a_proof_brings_its_own_password(kit: Kit, proven: int) -> None:
    """Of two registrations the one whose link is followed counts, older or newer; the other is void with its link."""
    spellings, passwords = (ANNA, "Anna@example.com"), (PASSWORD, OTHER)
    for name, spelling, password in zip(("First", "Second"), spellings, passwords, strict=True):
        await register(kit, spelling, password, name)
    tokens = [(await kit.verification(spelling))[0] for spelling in spellings]
    assert await verify(kit, token=tokens[proven]) == 200
    assert await verify(kit, token=tokens[1 - proven]) == 400
    assert (await login(kit.browser(), ANNA, passwords[1 - proven])).status_code in {401, 403}
    signed_in = (await login(kit.browser(), ANNA, passwords[proven])).json()["user"]
    assert (signed_in["name"], signed_in["email"]) == (("First", "Second")[proven], spellings[proven])
    assert [len(rows) for rows in (await people(kit)).values()] == [1, 1, 1]


async def test_a_proven_address_is_not_touched(kit: Kit) -> None:
    """Registering it again changes neither account nor password, sends no proof, and tells its owner."""
    await kit.signed_up(ANNA, name="Anna")
    before = await people(kit)
    await register(kit, ANNA.upper(), OTHER, "Mallory")
    mail = await kit.mail_to(ANNA, count=2)
    assert "token=" not in mail["text"]
    assert "ANNA@example.com" not in {message["to"] for message in kit.mailbox.messages()}
    assert await people(kit) == before
    refused = await login(kit.browser(), ANNA, OTHER)
    assert (
        refused.json()["code"] == "email_not_verified"
    )  # as for an address that was free: nobody learns which
    assert await session_rows(kit) == []


async def test_proving_at_once_makes_one_account(tmp_path: Path, database_url: str) -> None:
    """Ten registrations of one address, all proven at the same moment: one counts, and its password is the one."""
    async with running(tmp_path, database=database_url, register_per_address="100/h") as kit:
        spellings = [ANNA[:n].upper() + ANNA[n:] for n in range(4)]  # told apart by whom the mail goes to
        for number, spelling in enumerate(spellings):
            await register(kit, spelling, f"{PASSWORD} {number}")
        tokens = [(await kit.verification(spelling))[0] for spelling in spellings]
        statuses = await asyncio.gather(*(verify(kit, token=token) for token in tokens))
        assert statuses.count(200) == 1
        assert [len(rows) for rows in (await people(kit)).values()] == [1, 1, 1]
        winner = statuses.index(200)
        signed_in = [(await login(kit.browser(), ANNA, f"{PASSWORD} {n}")).status_code for n in range(4)]
        assert [n for n, status in enumerate(signed_in) if status == 200] == [winner]


async def test_a_proof_is_for_one_address_only(kit: Kit) -> None:
    """A code proves the address that it was sent to; shown with another one it is worth nothing."""
    await register(kit, ANNA)
    await register(kit, BERT)
    (token, code), (_, berts) = await kit.verification(ANNA), await kit.verification(BERT)
    for address in (BERT, "nobody@example.com"):
        if address == BERT and code == berts:
            continue
        assert await verify(kit, email=address, code=code) == 400
    assert await verify(kit, token=token) == 200
    reads = kit.engine.core.database
    assert [to.address for to in await accounts.recipients(reads, await account_id(kit, ANNA))] == [ANNA]
    assert await accounts.find(reads, BERT) is None


async def test_proving_signs_nobody_in(kit: Kit) -> None:
    """The answer to a proof brings no cookie, and there is no session."""
    await register(kit, ANNA)
    token, _ = await kit.verification(ANNA)
    answered = await kit.browser().post("/auth/email/verify", json={"token": token})
    assert "set-cookie" not in answered.headers
    assert await session_rows(kit) == []


async def _may(kit: Kit, wanted: str, epoch: int | None) -> bool:
    """Whether locking lets an account pass; a refusal is always the same."""
    try:
        return (await changed(kit, lambda change: lock_active(change, wanted, epoch))).id == wanted
    except Refused as refused:
        return refused.code is not accounts.INVALID_CREDENTIALS


async def test_the_gate_stands_before_everything(kit: Kit) -> None:
    """Locking, signing in and every request: active ones pass, disabled, missing and outdated ones do not."""
    addresses = {state: f"{state}@example.com" for state in ("active", "disabled", "raised")}
    browsers = {state: await kit.signed_in(address) for state, address in addresses.items()}
    ids = {state: await account_id(kit, address) for state, address in addresses.items()}
    epoch = (await changed(kit, lambda change: lock_active(change, ids["active"]))).security_epoch
    await set_status(kit, ids["disabled"], Status.DISABLED)
    await set_status(kit, ids["raised"], Status.ACTIVE)
    for state, wanted in (*ids.items(), ("missing", "0" * 26)):
        assert await _may(kit, wanted, epoch) == (state == "active")
        assert await _may(kit, wanted, None) == (state in ("active", "raised"))
    for state, browser in browsers.items():
        assert (await browser.get("/auth/session")).status_code == (200 if state == "active" else 401)
        signed_in = await login(kit.browser(), addresses[state])
        assert signed_in.status_code == (401 if state == "disabled" else 200)


async def test_a_disabled_account_proves_nothing(tmp_path: Path, database_url: str) -> None:
    """Where accounts live before their address is proven, a disabled one is neither proven nor replaced."""
    async with running(tmp_path, database=database_url, verify_email="optional") as kit:
        await register(kit, ANNA)
        token, code = await kit.verification(ANNA)
        assert (await login(kit.browser(), ANNA)).status_code == 200
        await set_status(kit, await account_id(kit, ANNA), Status.DISABLED)
        before = await people(kit)
        assert await verify(kit, token=token) in (400, 401)
        assert await verify(kit, email=ANNA, code=code) in (400, 401)
        await register(kit, ANNA, OTHER)
        assert await people(kit) == before
        assert (await login(kit.browser(), ANNA)).status_code == 401


async def test_a_stranger_cannot_give_a_password_to_an_account_that_has_none(tmp_path: Path) -> None:
    """Where addresses need no proof, registering a proven address without a password adds none to its account."""
    async with running(tmp_path, verify_email="optional") as kit:
        await kit.signed_up(ANNA)
        core = kit.engine.core
        async with core.database.transaction() as tx:
            owner = await accounts.owner_of(tx, parse_email(ANNA))
            assert owner is not None
            await tx.run(store.DROP_PASSWORD, of_account=owner.account_id)
        await register(kit, ANNA, OTHER)
        assert (await login(kit.browser(), ANNA, OTHER)).status_code == 403
        assert (await accounts.owner_of(core.database, parse_email(ANNA))) == replace(
            owner, password_hash=None
        )


async def test_two_registrations_in_use_end_without_a_password(tmp_path: Path) -> None:
    """Where addresses need no proof, proving one by another registration ends sessions and counts no password (L10)."""
    async with running(tmp_path, verify_email="optional") as kit:
        await register(kit, ANNA, PASSWORD)
        first = kit.browser()
        assert (await login(first, ANNA, PASSWORD)).status_code == 200
        await register(kit, ANNA, OTHER)
        token, _ = await kit.verification(ANNA, count=2)
        assert await verify(kit, token=token) == 200
        assert (await first.get("/auth/session")).status_code == 401
        assert (await login(kit.browser(), ANNA, PASSWORD)).status_code != 200
        assert (await login(kit.browser(), ANNA, OTHER)).status_code != 200


async def test_guesses_that_were_planted_are_counted(tmp_path: Path) -> None:
    """Registering a taken address with each guess first does not keep wrong guesses from locking (E2)."""
    async with running(tmp_path, register_per_address="100/1h") as kit:
        await kit.signed_up(ANNA)
        statuses = []
        for number in range(6):
            guess = f"planted guess number {number}"
            await register(kit, ANNA, guess)
            statuses.append((await login(kit.browser(), ANNA, guess)).status_code)
        assert statuses == [403] * 5 + [429]
