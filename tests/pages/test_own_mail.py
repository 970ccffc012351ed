"""A browser that signed up tells its own mail from one that a stranger caused for the same address."""

from ostiary.testing import Kit
from tests.pages.reading import visitor
from tests.pages.test_getting_in import ANNA, signed_in, signed_up

STRANGERS = {"email": ANNA, "password": "loud market eleven umbrellas", "name": "Mallory"}


async def test_a_strangers_mail_does_not_count_here(kit: Kit) -> None:
    """Code and link of a later registration by somebody else are refused where the owner signed up (L10)."""
    anna = visitor(kit)
    check = await signed_up(kit, anna)
    own, _ = await kit.verification(ANNA)
    await kit.browser("203.0.113.9").post("/auth/register", json=STRANGERS)
    foreign, code = await kit.verification(ANNA, count=2)
    assert (await anna.submit(check, "/verify", code=code)).status == 400
    confirm = await anna.open(f"/verify?token={foreign}")
    assert (await anna.submit(confirm, "/verify")).status == 400
    done = await anna.submit(await anna.open(f"/verify?token={own}"), "/verify")
    assert done.heading == "Your address is confirmed"
    assert (await signed_in(kit, anna)).heading == "Hello, Anna"


async def test_a_new_mail_is_for_ones_own_registration(kit: Kit) -> None:
    """Asking again where one signed up sends one mail, for that registration alone."""
    anna = visitor(kit)
    check = await signed_up(kit, anna)
    await kit.browser("203.0.113.9").post("/auth/register", json=STRANGERS)
    await kit.mail_to(ANNA, count=2)
    again = await anna.submit(check, "/verify/resend")
    assert "another mail" in again.text
    _, code = await kit.verification(ANNA, count=3)
    assert (await anna.submit(again, "/verify", code=code)).heading == "Your address is confirmed"
    assert len([mail for mail in kit.mailbox.messages() if mail["to"] == ANNA]) == 3
