"""Who proves a mailbox by a reset: the address counts as proven, and what strangers set up before does not (L10)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ostiary.core.accounts.accounts import CREDENTIALS_VOIDED
from ostiary.core.accounts.store import PASSWORD as PASSWORD_QUERY
from ostiary.core.change import Change, Subscriber, on
from ostiary.core.passwords.schemes import Argon2id
from ostiary.core.wiring import Parts
from ostiary.engine.features import RIBS
from ostiary.features.password.recovery import may_recover
from ostiary.features.password.store import OwnerRow
from ostiary.http.rib import Rib
from ostiary.kernel.events import Event
from ostiary.testing import Kit, running
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import account_id, dump, journalled
from tests.features.password.stage import (
    ANNA,
    NEW,
    WRONG,
    add_address,
    change,
    codes,
    forgot,
    link,
    reset,
    reset_mails,
    signs_in,
)
from tests.security.stage import drained
from tests.support.server import ROOT_SECRET

STRANGERS = "loud market eleven umbrellas"
# What a refused proof may touch.
IDLE = ("throttle", "journal", "once", "outbox", "address_claim")


@pytest.mark.parametrize(
    ("status", "verified_at", "has_proven", "expected"),
    [
        ("active", 1, 1, True),
        ("active", None, 0, True),  # the link is the first proof
        ("active", None, 1, False),  # an unproven address beside a proven one
        ("active", 1, 2, True),
        ("disabled", 1, 1, False),
        ("disabled", None, 0, False),
    ],
)
def test_who_may_recover(status: str, verified_at: int | None, has_proven: int, expected: bool) -> None:
    """A table of cases: accounts."""
    owner = OwnerRow("a", status, 1, "", "anna@example.com", verified_at, has_proven)
    assert may_recover(owner, waits=False) is may_recover(owner, waits=True) is expected


def test_who_may_recover_without_an_account() -> None:
    """A table of cases: an address that nobody has."""
    assert may_recover(None, waits=True)
    assert not may_recover(None, waits=False)


@pytest.fixture
async def optional(database_url: str, tmp_path: Path) -> AsyncIterator[Kit]:
    """An engine where accounts may be used before their address is proven."""
    async with running(tmp_path, database=database_url, verify_email="optional") as kit:
        yield kit


async def register(kit: Kit, password: str, name: str = "") -> str:
    """Register Anna's address; the token of the mail that it caused."""
    before = len(kit.mailbox.messages())
    body = {"email": ANNA, "password": password, "name": name}
    (await kit.browser("203.0.113.9").post("/auth/register", json=body)).raise_for_status()
    token, _ = await kit.verification(ANNA, count=before + 1)
    return token


async def verify(kit: Kit, token: str) -> int:
    """Redeem a verification link."""
    return (await kit.browser().post("/auth/email/verify", json={"token": token})).status_code


async def test_an_address_that_waits_gets_an_account(kit: Kit) -> None:
    """Registered, never proven, forgotten: the link makes the account, proven, with the new password alone."""
    await register(kit, PASSWORD, "Mallory")
    assert (await reset(kit, await link(kit))).status_code == 200
    assert await signs_in(kit, PASSWORD) == 403, "that registration still waits, and is worth nothing"
    own = await kit.sign_in(ANNA, NEW)
    user = (await own.get("/auth/session")).json()["user"]
    assert (user["email"], user["email_verified"], user["name"]) == (ANNA, True, "")


async def test_registrations_that_wait_are_worth_nothing_afterwards(kit: Kit) -> None:
    """Neither an older nor a later registration's link or code changes the account that a reset has made."""
    first = await register(kit, STRANGERS)
    token = await link(kit)
    second = await register(kit, WRONG)
    _, code = await kit.verification(ANNA, count=3)
    assert (await reset(kit, token)).status_code == 200
    before = await dump(kit, without=IDLE)
    for worthless in (first, second):
        assert await verify(kit, worthless) == 400
    by_code = await kit.browser().post("/auth/email/verify", json={"email": ANNA, "code": code})
    assert by_code.status_code == 400
    assert await dump(kit, without=IDLE) == before
    assert [await signs_in(kit, one) for one in (STRANGERS, WRONG, NEW)] == [401, 403, 200]


async def test_a_link_for_an_address_that_waits_dies_with_the_proof(kit: Kit) -> None:
    """Once the owner has proven the address by a registration, the older link is worthless; a new one works."""
    proof = await register(kit, PASSWORD)
    token = await link(kit)
    assert await verify(kit, proof) == 200
    assert (await reset(kit, token)).status_code == 400
    assert await signs_in(kit, PASSWORD) == 200
    assert (await reset(kit, await link(kit))).status_code == 200


async def test_other_ribs_hear_that_credentials_are_void(tmp_path: Path) -> None:
    """What other ribs keep (factors, keys) goes in the same transaction, and only at a first proof."""
    heard: list[str] = []

    async def react(tx: Change, event: Event) -> None:
        heard.append(event.account_id or "")
        assert await tx.one(PASSWORD_QUERY, account_id=event.account_id) is None

    def subscribers(parts: Parts) -> tuple[Subscriber, ...]:
        return (on(CREDENTIALS_VOIDED, react),)

    ribs = (*RIBS, Rib(name="listener", subscribers=subscribers))
    async with running(tmp_path, ribs=ribs, verify_email="optional") as kit:
        await register(kit, STRANGERS)
        assert (await reset(kit, await link(kit))).status_code == 200
        assert heard == [await account_id(kit, ANNA)]
        assert (await reset(kit, await link(kit), WRONG)).status_code == 200
        assert len(heard) == 1


async def test_two_registrations_leave_a_way_in(optional: Kit) -> None:
    """The account whose mailbox was proven by another registration has no password; a reset gives it one."""
    kit = optional
    await register(kit, STRANGERS)
    own_proof = await register(kit, PASSWORD)
    assert await verify(kit, own_proof) == 200
    assert [await signs_in(kit, one) for one in (STRANGERS, PASSWORD)] == [403, 401]
    assert (await reset(kit, await link(kit))).status_code == 200
    assert await signs_in(kit, NEW) == 200


async def test_a_change_before_the_proof_keeps_the_account(optional: Kit) -> None:
    """Who changes the password before opening the own verification link keeps password and session."""
    kit = optional
    proof = await register(kit, PASSWORD)
    own = await kit.sign_in(ANNA, PASSWORD)
    assert (await change(own, NEW, PASSWORD)).status_code == 200
    assert await verify(kit, proof) == 200
    assert (await own.get("/auth/session")).json()["user"]["email_verified"]
    assert await signs_in(kit, NEW) == 200
    assert codes(await change(own, PASSWORD, NEW)) == ["password_reused"]


async def test_a_better_hash_before_the_proof_keeps_the_account(database_url: str, tmp_path: Path) -> None:
    """A sign-in that hashes the password anew, at another cost, leaves the own verification link as good as it was."""
    given: dict[str, Any] = {"database": database_url, "verify_email": "optional", "root_secret": ROOT_SECRET}
    async with running(tmp_path, **given) as kit:
        proof = await register(kit, PASSWORD)
        strangers_proof = await register(kit, STRANGERS)
        before = (await dump(kit))["password"]
    async with running(tmp_path, scheme=Argon2id(16, 1, 1), **given) as kit:
        own = await kit.sign_in(ANNA, PASSWORD)
        assert (await dump(kit))["password"] != before, "it was hashed anew"
        assert await verify(kit, proof) == 200
        assert (await own.get("/auth/session")).json()["user"]["email_verified"]
        assert await signs_in(kit, PASSWORD) == 200
        assert await verify(kit, strangers_proof) == 400
        assert "credentials_voided" not in await journalled(kit)


async def test_an_unproven_address_beside_a_proven_one(kit: Kit) -> None:
    """It may be mistyped: no link goes there; a link that went to an address which is the account's no more is void."""
    await kit.signed_up(ANNA)
    anna = await account_id(kit, ANNA)
    await add_address(kit, anna, "typo@example.com", None)
    assert (await forgot(kit, "typo@example.com")).status_code == 202
    await drained(kit)
    assert reset_mails(kit, "typo@example.com") == []
    await add_address(kit, anna, "second@example.com", 1)
    assert (await reset(kit, await link(kit, "second@example.com"))).status_code == 200
    assert await signs_in(kit, NEW, "second@example.com") == 200


async def test_one_account_one_link(kit: Kit) -> None:
    """Links to two addresses of one account: the newest alone works."""
    await kit.signed_up(ANNA)
    await add_address(kit, await account_id(kit, ANNA), "second@example.com", 1)
    first = await link(kit, ANNA)
    second = await link(kit, "second@example.com")
    assert (await reset(kit, first)).status_code == 400
    assert (await reset(kit, second)).status_code == 200
