"""Choosing the primary address and removing one: who is told, what signs in, and what must stay."""

import asyncio

from ostiary.testing import Kit
from ostiary.testing.kit import PASSWORD
from tests.core.signin.stage import dump, login
from tests.features.emails.stage import ANNA, NEW, THIRD, add, added, listed, short, subjects

UNTOLD = ("throttle", "journal", "outbox")


async def test_another_address_becomes_the_primary_one(kit: Kit) -> None:
    """The account is called by it, the old one still signs in, and every proven address is told (S-A18)."""
    anna = await kit.signed_in(ANNA)
    new = await added(kit, anna, NEW)
    await added(kit, anna, THIRD)
    told = {address: len(subjects(kit, address)) for address in (ANNA, NEW, THIRD)}
    assert (await anna.post(f"/auth/emails/{new}/primary")).json() == {"status": "primary"}
    assert await short(anna) == [(NEW, True, True), (ANNA, False, True), (THIRD, False, True)]
    assert (await anna.get("/auth/session")).json()["user"]["email"] == NEW
    for address in (ANNA, NEW, THIRD):
        assert (await login(kit.browser(), address)).json()["user"]["email"] == NEW
        mail = await kit.mail_to(address, count=told[address] + 1)
        assert mail["subject"] == "Your ostiary account has another primary address"
        assert NEW in mail["text"]
        assert "Was it not you?" in mail["text"]
    before = await dump(kit, without=("throttle", "outbox"))
    assert (await anna.post(f"/auth/emails/{new}/primary")).status_code == 200, "it is already"
    assert await dump(kit, without=("throttle", "outbox")) == before


async def test_only_a_proven_address_becomes_the_primary_one(kit: Kit) -> None:
    """One that waits is refused, and nothing is changed."""
    anna = await kit.signed_in(ANNA)
    new = await add(anna, NEW)
    before = await dump(kit, without=("outbox",))
    refused = await anna.post(f"/auth/emails/{new}/primary")
    assert (refused.status_code, refused.json()["code"]) == (403, "email_not_verified")
    assert (await anna.post("/auth/emails/nonsense/primary")).status_code == 404
    assert await dump(kit, without=("outbox",)) == before


async def test_an_address_is_removed(kit: Kit) -> None:
    """It is told for the last time, signs nobody in any more, and is free for somebody else."""
    anna = await kit.signed_in(ANNA)
    new = await added(kit, anna, NEW)
    assert (await anna.post(f"/auth/emails/{new}/primary")).status_code == 200
    old = (await listed(anna))[1]["id"]
    assert (await anna.delete(f"/auth/emails/{old}")).status_code == 204
    assert await short(anna) == [(NEW, True, True)]
    for address in (ANNA, NEW):
        mail = await kit.mail_to(address, count=len(subjects(kit, address)))
        for _ in range(200):
            if mail["subject"].startswith("An address was removed"):
                break
            await asyncio.sleep(0.01)
            mail = await kit.mail_to(address)
        assert mail["subject"] == "An address was removed from your ostiary account"
        assert ANNA in mail["text"]
    assert (await login(kit.browser(), ANNA)).status_code == 401
    assert (await anna.delete(f"/auth/emails/{old}")).status_code == 404
    await kit.browser().post("/auth/register", json={"email": ANNA, "password": PASSWORD, "name": "Somebody"})
    token, _ = await kit.verification(ANNA, count=len(subjects(kit, ANNA)) + 1)
    assert (await kit.browser().post("/auth/email/verify", json={"token": token})).status_code == 200
    assert (await login(kit.browser(), ANNA)).json()["user"]["name"] == "Somebody"


async def test_what_is_needed_stays(kit: Kit) -> None:
    """The primary address cannot be removed, and nothing is changed by trying."""
    anna = await kit.signed_in(ANNA)
    await added(kit, anna, NEW)
    primary = (await listed(anna))[0]["id"]
    before = await dump(kit, without=("throttle", "outbox"))
    refused = await anna.delete(f"/auth/emails/{primary}")
    assert (refused.status_code, refused.json()["code"]) == (409, "email_needed")
    assert await dump(kit, without=("throttle", "outbox")) == before


async def test_a_wish_is_forgotten(kit: Kit) -> None:
    """Its mail is worthless then, and nobody is told: it was never anybody's."""
    anna = await kit.signed_in(ANNA)
    new = await add(anna, NEW)
    token, code = await kit.verification(NEW)
    assert (await anna.delete(f"/auth/emails/{new}")).status_code == 204
    assert await short(anna) == [(ANNA, True, True)]
    assert (await anna.post("/auth/emails/verify", json={"token": token})).status_code == 400
    assert (await anna.post(f"/auth/emails/{new}/verify", json={"code": code})).status_code == 404
    assert subjects(kit, NEW) == ["Confirm your new e-mail address for ostiary"]


async def test_links_of_a_removed_address_are_dead(kit: Kit) -> None:
    """A link to choose a new password that had gone there before opens the account to nobody."""
    anna = await kit.signed_in(ANNA)
    new = await added(kit, anna, NEW)
    await kit.browser().post("/auth/password/forgot", json={"email": NEW})
    mail = await kit.mail_to(NEW, count=2)
    token = mail["links"][0].partition("token=")[2]
    assert (await anna.delete(f"/auth/emails/{new}")).status_code == 204
    body = {"token": token, "new_password": "stolen harbour seventeen lanterns"}
    refused = await kit.browser().post("/auth/password/reset", json=body)
    assert (refused.status_code, refused.json()["code"]) == (400, "password_reset_invalid")
    assert (await login(kit.browser(), ANNA)).status_code == 200


async def test_changes_at_once_leave_one_primary_address(kit: Kit) -> None:
    """Making an address primary while it is removed, and two made primary at once: there is always exactly one."""
    anna = await kit.signed_in(ANNA)
    new, third = await added(kit, anna, NEW), await added(kit, anna, THIRD)
    answers = await asyncio.gather(
        anna.post(f"/auth/emails/{new}/primary"),
        anna.post(f"/auth/emails/{third}/primary"),
        anna.delete(f"/auth/emails/{new}"),
        anna.delete(f"/auth/emails/{third}"),
    )
    assert {answer.status_code for answer in answers} <= {200, 204, 404, 409}
    found = await short(anna)
    assert [is_primary for _, is_primary, _ in found].count(True) == 1
    assert found[0][1:] == (True, True)


async def test_a_person_uses_one_counter_whatever_the_address(kit: Kit) -> None:
    """Failures by one address lock the account for the others, too (L09)."""
    anna = await kit.signed_in(ANNA)
    await added(kit, anna, NEW)
    for number in range(5):
        await login(kit.browser(), (ANNA, NEW)[number % 2], "wrong")
    for address in (ANNA, NEW):
        assert (await login(kit.browser(), address)).status_code == 429
