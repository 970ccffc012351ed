"""Keys of the ring take over from each other: by schedule or by hand, in every process, and nothing is lost by it."""

import asyncio
import os
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ostiary.core.accounts.store import password
from ostiary.core.keys import rotation, store
from ostiary.core.keys.ring import PEPPER, PURPOSES, Purpose
from ostiary.core.keys.rotation import KNOWN_BEFORE, due
from ostiary.core.keys.store import SealedKey
from ostiary.features.keys import flow
from ostiary.kernel.errors import Misuse, Refused
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import span_micros
from ostiary.storage.statement import Query, command
from ostiary.testing import Kit, running
from tests.core.keys.stage import changed, processes, seen

DAY = span_micros(timedelta(days=1))
EVERY = timedelta(days=90)
OUTBOX, CSRF, ATTEMPT = PURPOSES["outbox"], PURPOSES["csrf"], PURPOSES["attempt"]
SCHEDULED = [one for one in PURPOSES.values() if not one.by_hand]

_HASH = Query("test.hash", sa.select(password.c.hash), str)
_FORGET_ROOTS = command("test.forget_roots", sa.update(store.keyring).values(root=None, active_at=None))
_FORGET_STATE = command("test.forget_state", sa.delete(store.keyring_state))


def key(wanted: Purpose, generation: int, created: int, active: int | None = None) -> SealedKey:
    """A row whose secret is nobody's business here."""
    made = f"{wanted.name}{generation}"
    return SealedKey(
        made, wanted.name, generation, b"", created, created if active is None else active, "root"
    )


@pytest.mark.parametrize(
    ("rows", "now", "rotate", "drop"),
    [
        ([], 0, [], []),
        ([key(CSRF, 1, 0)], 89 * DAY, [], []),
        ([key(CSRF, 1, 0)], 90 * DAY, [(CSRF, 1)], []),
        ([key(CSRF, 1, 0), key(CSRF, 2, 90 * DAY)], 91 * DAY, [], []),
        ([key(CSRF, 1, 0), key(CSRF, 2, 90 * DAY)], 180 * DAY, [(CSRF, 2)], []),
        ([key(PEPPER, 1, 0)], 9000 * DAY, [], []),
        ([key(PEPPER, 1, 0), key(PEPPER, 2, DAY)], 9000 * DAY, [], []),
        ([key(OUTBOX, 1, 0), key(OUTBOX, 2, 8999 * DAY)], 9000 * DAY, [], []),
        # kept for an hour after its successor took over, not after it was made
        ([key(ATTEMPT, 1, 0), key(ATTEMPT, 2, 80 * DAY, 81 * DAY)], 81 * DAY, [], []),
        ([key(ATTEMPT, 1, 0), key(ATTEMPT, 2, 80 * DAY)], 80 * DAY + DAY // 24, [], []),
        ([key(ATTEMPT, 1, 0), key(ATTEMPT, 2, 80 * DAY)], 80 * DAY + DAY // 24 + 1, [], ["attempt1"]),
        ([key(Purpose("gone", "of another version"), 1, 0)], 9000 * DAY, [], []),
    ],
)
def test_what_the_schedule_asks_for(rows: list[SealedKey], now: int, rotate: Any, drop: list[str]) -> None:
    """A key is made when the newest is old enough, and dropped when nothing that it made can be in use."""
    found = due(rows, EVERY, now)
    assert (list(found.rotate), list(found.drop)) == (rotate, drop)


async def test_a_new_key_is_known_before_it_is_used(kit: Kit) -> None:
    """After a rotation the old key goes on for ten seconds; then the new one makes values and the old ones open."""
    ring = kit.engine.core.ring
    old = ring.current(OUTBOX).id
    sealed, mac = ring.seal(OUTBOX, b"letter"), ring.mac(OUTBOX, "part")
    new = await flow.rotate(kit.engine.core, "outbox")
    await seen(kit, lambda: ring.find(OUTBOX, new) is not None)
    assert ring.current(OUTBOX).id == old
    kit.clock.turn(KNOWN_BEFORE)
    await seen(kit, lambda: ring.current(OUTBOX).id == new)
    assert ring.seal(OUTBOX, b"letter").startswith(f"{new}.")
    assert ring.open_sealed(OUTBOX, sealed) == b"letter"
    assert ring.check_mac(OUTBOX, mac, "part")


async def test_other_processes_follow(database_url: str, tmp_path: Path) -> None:
    """What one process rotates or retires, the others know within a second, without being asked anything."""
    async with AsyncExitStack() as stack:
        one, other = await processes(stack, tmp_path, database_url, 2)
        mine, theirs = one.engine.core.ring, other.engine.core.ring
        before = mine.mac(CSRF, "session")
        old, new = mine.current(CSRF).id, await flow.rotate(one.engine.core, "csrf")
        await seen(other, lambda: theirs.find(CSRF, new) is not None)
        one.clock.turn(KNOWN_BEFORE)
        await seen(one, lambda: mine.current(CSRF).id == new)
        made = mine.mac(CSRF, "session")
        assert theirs.check_mac(CSRF, made, "session")
        assert theirs.check_mac(CSRF, before, "session")
        await flow.retire(one.engine.core, old)
        await seen(other, lambda: theirs.find(CSRF, old) is None)
        assert not theirs.check_mac(CSRF, before, "session")
        assert theirs.check_mac(CSRF, made, "session")


async def test_the_schedule_rotates_once(database_url: str, tmp_path: Path) -> None:
    """When the time has come, two workers on one database make exactly one new key for each purpose."""
    async with AsyncExitStack() as stack:
        kits = await processes(stack, tmp_path, database_url, 2)
        core = kits[0].engine.core
        kits[0].clock.turn(EVERY + timedelta(hours=1))
        await seen(kits[1], lambda: all(len(core.ring._lines[one.name]) >= 2 for one in SCHEDULED))
        kits[0].clock.turn(KNOWN_BEFORE)
        for ring in (kit.engine.core.ring for kit in kits):
            await seen(kits[0], lambda ring=ring: ring.current(CSRF).id == ring._lines["csrf"][-1].id)  # type: ignore[misc]
        rows = await core.database.all(store.LOAD)
        counts = {one.name: sum(row.purpose == one.name for row in rows) for one in PURPOSES.values()}
        assert counts == {one.name: 1 if one.by_hand else 2 for one in PURPOSES.values()}


async def test_many_at_once_make_one_key(kit: Kit) -> None:
    """Of many processes that follow the schedule in the same moment one makes the keys."""
    kit.clock.turn(timedelta(days=1))  # the kit's own worker sleeps through it
    core = kit.engine.core
    every = timedelta(hours=1)
    made = await asyncio.gather(
        *(changed(kit, lambda change: rotation.follow_schedule(change, core.ring, every)) for _ in range(8))
    )
    assert sorted(made) == [0] * 7 + [len(SCHEDULED)]


async def test_what_nothing_needs_is_dropped(kit: Kit) -> None:
    """An attempt's key goes an hour after its successor took over; the pepper before the last stays for good."""
    core = kit.engine.core
    before = {name: core.ring.current(PURPOSES[name]).id for name in ("attempt", "pepper")}
    for name in before:
        await flow.rotate(core, name)
    kit.clock.turn(timedelta(hours=2))
    await changed(kit, lambda change: rotation.follow_schedule(change, core.ring, EVERY))
    await core.ring.refresh(core.database)
    assert core.ring.find(ATTEMPT, before["attempt"]) is None
    assert core.ring.find(PEPPER, before["pepper"]) is not None


async def test_passwords_outlive_a_new_pepper(kit: Kit) -> None:
    """A password hashed with the pepper before still opens, and is hashed anew with the present one."""
    await kit.signed_up("anna@example.com")
    new = await flow.rotate(kit.engine.core, "pepper")
    kit.clock.turn(KNOWN_BEFORE)
    await seen(kit, lambda: kit.engine.core.ring.current(PEPPER).id == new)
    for _ in range(2):
        await kit.sign_in("anna@example.com")
    found = await kit.engine.core.database.one(_HASH)
    assert found is not None
    assert new in found


async def test_retiring_the_current_key(kit: Kit) -> None:
    """What it made is worth nothing at once, and another key makes new values at once."""
    core = kit.engine.core
    browser = await kit.signed_in("anna@example.com")
    old = core.ring.current(CSRF).id
    await flow.retire(core, old)
    await seen(kit, lambda: core.ring.find(CSRF, old) is None)
    assert core.ring.current(CSRF).id != old
    assert (await browser.post("/auth/sessions/revoke-others")).json()["code"] == "csrf_failed"
    browser.cookies.delete(kit.engine.app.edge.cookies.csrf)
    assert (await browser.get("/auth/session")).status_code == 200  # gives a new CSRF token
    assert (await browser.post("/auth/sessions/revoke-others")).status_code == 200


async def test_a_key_that_is_needed_cannot_be_retired(kit: Kit) -> None:
    """Passwords, counters and waiting mails would be lost with their key; an unknown key is not found."""
    core = kit.engine.core
    rows = await core.database.all(store.LOAD)
    for name in ("pepper", "throttle", "outbox"):
        with pytest.raises(Misuse, match="would be lost"):
            await flow.retire(core, core.ring.current(PURPOSES[name]).id)
    with pytest.raises(Refused, match="not_found"):
        await flow.retire(core, "nobody")
    with pytest.raises(Misuse, match="no keys for 'nothing'"):
        await flow.rotate(core, "nothing")
    assert await core.database.all(store.LOAD) == rows


async def test_what_operators_see(kit: Kit) -> None:
    """The listing says which key is next, current or previous, and shows no key."""
    core = kit.engine.core
    first = core.ring.current(CSRF).id
    second = await flow.rotate(core, "csrf")

    async def states() -> dict[str, str]:
        return {one.id: one.state for one in await flow.listing(core) if one.purpose == "csrf"}

    assert await states() == {first: "current", second: "next"}
    kit.clock.turn(KNOWN_BEFORE)
    assert await states() == {first: "previous", second: "current"}


async def test_another_root_secret(database_url: str, tmp_path: Path) -> None:
    """Two roots are accepted while one replaces the other; nothing is lost, and in the end only the new one opens."""
    old, new = os.urandom(32).hex(), os.urandom(32).hex()
    given: dict[str, Any] = {"database": database_url}
    async with running(tmp_path, root_secret=old, **given) as before:
        await before.signed_up("anna@example.com")
        sealed = before.engine.core.ring.seal(OUTBOX, b"letter")
        with pytest.raises(Misuse, match="does not belong"):
            async with running(tmp_path, root_secret=new, **given):
                pass
        async with running(tmp_path, root_secret=new, root_secret_previous=old, **given) as both:
            # A key that is made now is sealed as the others are, so that the process with the old root reads it.
            fresh = await flow.rotate(both.engine.core, "outbox")
            await seen(before, lambda: before.engine.core.ring.find(OUTBOX, fresh) is not None)
            count = await flow.reseal(both.engine.core)
            assert count == len(PURPOSES) + 1
            assert await flow.reseal(both.engine.core) == 0
            later = await flow.rotate(both.engine.core, "csrf")
            await seen(both, lambda: both.engine.core.ring.find(CSRF, later) is not None)
            # Whoever was not given the new root goes on with the keys at hand, and says so.
            await before.sign_in("anna@example.com")
            assert before.engine.core.ring.open_sealed(OUTBOX, sealed) == b"letter"
        with pytest.raises(Misuse, match="does not belong"):
            async with running(tmp_path, root_secret=old, **given):
                pass
        async with running(tmp_path, root_secret=new, **given) as after:
            await after.sign_in("anna@example.com")
            assert after.engine.core.ring.open_sealed(OUTBOX, sealed) == b"letter"


async def test_a_ring_from_before_roots_had_names(database_url: str, tmp_path: Path) -> None:
    """A database whose keys name no root opens with its own root, also while that is replaced, and with no other."""
    old, new = os.urandom(32).hex(), os.urandom(32).hex()
    async with running(tmp_path, database=database_url, root_secret=old) as kit:
        sealed = kit.engine.core.ring.seal(OUTBOX, b"letter")
        async with kit.engine.core.database.transaction() as tx:
            await tx.run(_FORGET_ROOTS)
            await tx.run(_FORGET_STATE)
    with pytest.raises(Misuse, match="does not belong"):
        async with running(tmp_path, database=database_url, root_secret=new):
            pass
    async with running(tmp_path, database=database_url, root_secret=new, root_secret_previous=old) as kit:
        assert kit.engine.core.ring.open_sealed(OUTBOX, sealed) == b"letter"
        await flow.reseal(kit.engine.core)
    async with running(tmp_path, database=database_url, root_secret=new) as kit:
        assert kit.engine.core.ring.open_sealed(OUTBOX, sealed) == b"letter"


def test_a_weak_previous_root_is_refused(tmp_path: Path) -> None:
    """The root before is judged like the root in force, and the message names the right setting."""

    async def start() -> None:
        async with running(tmp_path, root_secret_previous=Secret("x" * 43)):
            pass

    with pytest.raises(Misuse, match="root_secret_previous is weak"):
        asyncio.run(start())
