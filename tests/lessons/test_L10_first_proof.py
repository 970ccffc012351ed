"""L10: what somebody set up for an address that he never proved outlived the proof by its owner."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ostiary.engine.features import RIBS
from ostiary.testing import Kit, running
from tests.core.signin.stage import account_id, answer, dump, journalled, login, session_rows
from tests.features.password.stage import ANNA, NEW, WRONG, change, link, reset, signs_in
from tests.support.ribs import WordOfTheDay

STRANGERS = "loud market eleven umbrellas"
# What a refused proof may touch.
IDLE = ("throttle", "journal", "once", "outbox", "address_claim")


@pytest.fixture
def day() -> WordOfTheDay:
    """A second factor."""
    return WordOfTheDay(is_single_use=False)


@pytest.fixture
async def optional(database_url: str, tmp_path: Path, day: WordOfTheDay) -> AsyncIterator[Kit]:
    """An engine where accounts may be used before their address is proven."""
    ribs = (*RIBS, day.rib)
    async with running(tmp_path, database=database_url, ribs=ribs, verify_email="optional") as kit:
        yield kit


async def strangers_registration(kit: Kit) -> str:
    """Somebody registers Anna's address; the token that is mailed to her."""
    body = {"email": ANNA, "password": STRANGERS, "name": "Mallory"}
    (await kit.browser("203.0.113.9").post("/auth/register", json=body)).raise_for_status()
    token, _ = await kit.verification(ANNA)
    return token


async def test_a_squatter_is_out(optional: Kit, day: WordOfTheDay) -> None:
    """By a reset the owner of the mailbox gets the account; the stranger's password, session and factor are gone."""
    kit = optional
    proof = await strangers_registration(kit)
    mallory = await kit.sign_in(ANNA, STRANGERS)
    assert (await change(mallory, WRONG, STRANGERS)).status_code == 200
    anna = await account_id(kit, ANNA)
    day.words[anna] = "mallory's own"
    assert (await reset(kit, await link(kit), STRANGERS)).status_code == 200, "nobody's to repeat"
    assert (await mallory.get("/auth/session")).json()["code"] == "session_ended"
    assert all(ended is not None for _, _, ended, _ in await session_rows(kit))
    assert day.words == {}
    assert (await dump(kit))["password_history"] == []
    assert "credentials_voided" in await journalled(kit)
    before = await dump(kit, without=IDLE)
    verified = await kit.browser().post("/auth/email/verify", json={"token": proof})
    assert verified.json()["code"] == "verification_invalid"
    assert await dump(kit, without=IDLE) == before
    own = await kit.sign_in(ANNA, STRANGERS)
    assert (await own.get("/auth/session")).json()["user"]["email_verified"]


async def test_a_half_done_sign_in_of_a_squatter_ends(optional: Kit, day: WordOfTheDay) -> None:
    """What was begun with the stranger's password cannot be finished after the proof."""
    kit = optional
    await strangers_registration(kit)
    day.words[await account_id(kit, ANNA)] = "heron"
    mallory = kit.browser()
    attempt = (await login(mallory, ANNA, STRANGERS)).json()["attempt"]
    assert (await reset(kit, await link(kit))).status_code == 200
    assert (await answer(mallory, attempt, "heron")).status_code == 401


async def test_the_owner_who_has_proven_keeps_the_second_factor(optional: Kit, day: WordOfTheDay) -> None:
    """A reset of a proven account leaves the factor as it is: the mailbox alone opens nothing."""
    kit = optional
    await kit.signed_up(ANNA)
    day.words[await account_id(kit, ANNA)] = "heron"
    assert (await reset(kit, await link(kit))).status_code == 200
    browser = kit.browser()
    asked = (await login(browser, ANNA, NEW)).json()
    assert (asked["status"], asked["factors"]) == ("factor_required", ["word"])
    assert (await answer(browser, asked["attempt"], "heron")).status_code == 200


async def test_an_unproven_registration_never_becomes_the_account(kit: Kit) -> None:
    """A stranger's registration, waiting while the owner recovers, changes neither the password nor the name."""
    proof = await strangers_registration(kit)
    assert (await reset(kit, await link(kit))).status_code == 200
    verified = await kit.browser().post("/auth/email/verify", json={"token": proof})
    assert verified.json()["code"] == "verification_invalid"
    assert await signs_in(kit, STRANGERS) == 403
    own = await kit.sign_in(ANNA, NEW)
    assert (await own.get("/auth/session")).json()["user"]["name"] == ""
