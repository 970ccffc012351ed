"""Strangers cannot lock an owner out of a browser that signed in before; a known browser is held to its own limit."""

from datetime import timedelta
from pathlib import Path

from ostiary.testing import Browser, Kit, running
from ostiary.testing.kit import PASSWORD

ANNA = "anna@example.com"
WRONG = {"identifier": ANNA, "password": "certainly not this one"}
RIGHT = {"identifier": ANNA, "password": PASSWORD}


async def _knock(browser: Browser, times: int) -> list[int]:
    return [(await browser.post("/auth/login", json=WRONG)).status_code for _ in range(times)]


async def test_strangers_do_not_lock_the_owner_out(kit: Kit) -> None:
    """A thousand wrong tries from one network lock strangers out, and the owner's browser gets in (L09, E2)."""
    own = await kit.signed_in(ANNA)
    await own.post("/auth/logout")
    stranger = kit.browser()  # the same network as the owner's
    statuses = await _knock(stranger, 1000)
    assert set(statuses[:5]) == {401}
    assert set(statuses[5:]) == {429}
    assert (await stranger.post("/auth/login", json=RIGHT)).status_code == 429
    assert (await own.post("/auth/login", json=RIGHT)).status_code == 200
    # The owner's success says nothing about the strangers: they stay out.
    assert (await kit.browser("198.51.100.9").post("/auth/login", json=RIGHT)).status_code == 429


async def test_a_disabled_password_still_opens_from_a_known_browser(kit: Kit) -> None:
    """A hundred failures of strangers disable the password for strangers, not for who signed in here before (E2)."""
    own = await kit.signed_in(ANNA)
    await own.post("/auth/logout")
    for number in range(100):
        address = f"198.51.100.{number}"
        assert await _knock(kit.browser(address), 1) == [401], number
        kit.clock.turn(timedelta(hours=3))
    assert (await kit.browser("203.0.113.5").post("/auth/login", json=RIGHT)).status_code == 401
    assert (await own.post("/auth/login", json=RIGHT)).status_code == 200


async def test_a_known_browser_has_its_own_stricter_limit(tmp_path: Path) -> None:
    """From a known browser five failures lock and twenty in a row end all tries; strangers are not concerned."""
    async with running(tmp_path) as kit:
        own = await kit.signed_in(ANNA)
        await own.post("/auth/logout")
        assert await _knock(own, 6) == [401] * 5 + [429]
        for _ in range(15):
            kit.clock.turn(timedelta(hours=3))
            assert await _knock(own, 1) == [401]
        kit.clock.turn(timedelta(hours=3))
        assert (await own.post("/auth/login", json=RIGHT)).status_code == 429
        assert (await kit.browser().post("/auth/login", json=RIGHT)).status_code == 200


async def test_the_note_is_worth_nothing_for_another_account_or_altered(kit: Kit) -> None:
    """The cookie recognises its own accounts only, and an altered one is a stranger's."""
    own = await kit.signed_in(ANNA)
    name = kit.engine.app.edge.cookies.known
    note = own.cookies[name]
    bob = await kit.signed_in("bob@example.com")
    await bob.post("/auth/logout")
    assert await _knock(bob, 6) == [401] * 5 + [429], "bob's browser is a stranger to anna"
    fresh = kit.browser("198.51.100.20", cookies={name: note[:-2] + ("AA" if note[-2:] != "AA" else "BB")})
    assert (await fresh.post("/auth/login", json=RIGHT)).status_code == 429
    carried = kit.browser("198.51.100.21", cookies={name: note})
    assert (await carried.post("/auth/login", json=RIGHT)).status_code == 200
