"""Forty honest people behind one address get in with default settings; so does nobody who abuses that."""

import asyncio

from ostiary.testing import Kit
from ostiary.testing.kit import PASSWORD

PEOPLE = [f"colleague{number}@example.com" for number in range(40)]


async def test_an_office_gets_in(kit: Kit) -> None:
    """Forty register, verify and sign in one after another, then forty sign in at the same moment."""
    for address in PEOPLE:
        await kit.signed_in(address)
    browsers = await asyncio.gather(*(kit.sign_in(address) for address in PEOPLE))
    answers = await asyncio.gather(*(browser.get("/auth/session") for browser in browsers))
    assert [answer.json()["user"]["email"] for answer in answers] == PEOPLE


async def test_a_cold_office_gets_in(kit: Kit) -> None:
    """Forty sign in at the same moment while fifteen failures of theirs are still counted."""
    for address in PEOPLE[:5]:
        await kit.signed_up(address)
    wrong = {"password": "not my password at all"}
    for number in range(15):
        await kit.browser().post("/auth/login", json=wrong | {"identifier": f"typo{number}@example.com"})
    await asyncio.gather(*(kit.sign_in(address) for address in PEOPLE[:5] * 8))


async def test_unproven_registrations_are_limited(kit: Kit) -> None:
    """Of thirty-five that register before anybody verifies thirty get through; each proof makes room for one more."""
    statuses = []
    for address in PEOPLE[:35]:
        answer = await kit.browser().post("/auth/register", json={"email": address, "password": PASSWORD})
        statuses.append(answer.status_code)
    assert statuses == [202] * 30 + [429] * 5
    token, _ = await kit.verification(PEOPLE[0])
    (await kit.browser().post("/auth/email/verify", json={"token": token})).raise_for_status()
    late = [{"email": address, "password": PASSWORD} for address in PEOPLE[35:37]]
    answers = [(await kit.browser().post("/auth/register", json=body)).status_code for body in late]
    assert answers == [202, 429]


async def test_at_the_same_moment_thirty_get_through(kit: Kit) -> None:
    """Forty registrations at once: exactly thirty, however they interleave."""
    bodies = [{"email": address, "password": PASSWORD} for address in PEOPLE]
    answers = await asyncio.gather(*(kit.browser().post("/auth/register", json=body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [202] * 30 + [429] * 10
