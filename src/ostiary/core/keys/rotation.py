"""Owns what happens to the keys of the ring: the schedule, rotating and retiring by hand, another root secret.

Every change begins by raising the ring's version, which holds a lock: changes of the ring stand in a line, and every
process notices the new version and loads the keys again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import Final

from ostiary.core.change import Change
from ostiary.core.keys import store
from ostiary.core.keys.ring import PURPOSES, Keyring, Purpose, about
from ostiary.core.keys.root import RootSeal
from ostiary.kernel.errors import Misuse
from ostiary.kernel.events import EventType, Severity
from ostiary.kernel.world import from_micros, span_micros
from ostiary.storage.database import Reads

KEY_ROTATED: Final = EventType(
    "key_rotated", "A key took over from another one.", Severity.NOTICE, ("purpose", "key_id", "by")
)
KEY_RETIRED: Final = EventType(
    "key_retired",
    "An operator ended a key: what was made with it is worth nothing from then on.",
    Severity.WARNING,
    ("purpose", "key_id"),
)
RESEALED: Final = EventType("keyring_resealed", "Another root secret seals the keyring.", Severity.WARNING)
EVENTS: Final = (KEY_ROTATED, KEY_RETIRED, RESEALED)

# A new key is known before it is used: longer than processes take to look, with room for clocks that disagree.
KNOWN_BEFORE: Final = timedelta(seconds=10)
SCHEDULE: Final = "schedule"
OPERATOR: Final = "operator"


@dataclass(frozen=True, slots=True)
class Due:
    """What the schedule asks for now.

    Attributes:
        rotate: Purposes that get their next key, with the generation of the newest one that they have.
        drop: Ids of keys that nothing needs any more.
    """

    rotate: tuple[tuple[Purpose, int], ...]
    drop: tuple[str, ...]


def due(rows: Iterable[store.SealedKey], every: timedelta, now: int) -> Due:
    """What the schedule asks for. Pure.

    Args:
        rows: The whole ring, by purpose and generation.
        every: How old the newest key of a purpose may get.
        now: UTC microseconds.
    """
    rotate: list[tuple[Purpose, int]] = []
    drop: list[str] = []
    for name, grouped in groupby(rows, key=lambda row: row.purpose):
        wanted, line = PURPOSES.get(name), list(grouped)
        if wanted is None:
            continue  # another version's, or of a feature that is switched off
        if not wanted.by_hand and line[-1].created_at + span_micros(every) <= now:
            rotate.append((wanted, line[-1].generation))
        if wanted.kept_for is not None:
            kept = span_micros(wanted.kept_for)
            drop += [old.id for old, successor in pairwise(line) if successor.active_at + kept < now]
    return Due(tuple(rotate), tuple(drop))


@dataclass(frozen=True, slots=True)
class RingKey:
    """A key of the ring, as operators see it.

    Attributes:
        state: "next" until it takes over, "current", then "previous" until it is dropped or retired.
    """

    id: str
    purpose: str
    state: str
    created_at: datetime
    active_at: datetime


async def listing(reads: Reads, now: int) -> list[RingKey]:
    """Every key of the ring, by purpose, the oldest first.

    Args:
        now: UTC microseconds.
    """
    found: list[RingKey] = []
    for _, grouped in groupby(await reads.all(store.LOAD), key=lambda row: row.purpose):
        line = list(grouped)
        active = [row.generation for row in line if row.active_at <= now]
        current = max(active, default=line[0].generation)
        for row in line:
            state = (
                "current" if row.generation == current
                else "next" if row.generation > current
                else "previous"
            )  # fmt: skip
            found.append(
                RingKey(row.id, row.purpose, state, from_micros(row.created_at), from_micros(row.active_at))
            )
    return found


async def is_due(reads: Reads, every: timedelta, now: int) -> bool:
    """Whether the schedule asks for anything, so that nobody waits for the ring's lock in vain."""
    found = due(await reads.all(store.LOAD), every, now)
    return bool(found.rotate or found.drop)


async def follow_schedule(change: Change, ring: Keyring, every: timedelta) -> int:
    """Make every key that is due, and drop those that nothing needs any more.

    Of several processes that do this at once the first one makes the keys; the others wait, and find nothing due.

    Returns:
        How many keys were made or dropped.
    """
    root = await raise_version(change, ring)
    wanted = due(await change.all(store.LOAD), every, change.micros)
    for purpose, newest in wanted.rotate:
        await _add(change, ring, root, purpose, newest, SCHEDULE, at_once=False)
    for key_id in wanted.drop:
        await change.run(store.DROP, id=key_id)
    return len(wanted.rotate) + len(wanted.drop)


async def rotate(change: Change, ring: Keyring, wanted: Purpose) -> str:
    """Make the next key of a purpose; it takes over in a few seconds.

    Returns:
        Its id.
    """
    root = await raise_version(change, ring)
    line = [row.generation for row in await change.all(store.LOAD) if row.purpose == wanted.name]
    newest = max(line, default=0)
    return await _add(change, ring, root, wanted, newest, OPERATOR, at_once=False)


async def retire(change: Change, ring: Keyring, key_id: str) -> Purpose | None:
    """Drop a key at once; another one takes over first if it was the current one.

    Returns:
        What it was for; None when there is no such key on the ring.

    Raises:
        Misuse: things are stored that only this key can read or check.
    """
    root = await raise_version(change, ring)
    rows = await change.all(store.LOAD)
    row = next((row for row in rows if row.id == key_id), None)
    if row is None:
        return None
    wanted = PURPOSES.get(row.purpose)
    if wanted is None or wanted.kept_for is None:
        raise Misuse(
            f"a key for {row.purpose!r} cannot be retired: what is stored and was made with it would be lost. "
            f"Run `ostiary keys rotate {row.purpose}` instead"
        )
    line = [other for other in rows if other.purpose == row.purpose]
    if not any(other.generation > row.generation and other.active_at <= change.micros for other in line):
        await _add(change, ring, root, wanted, line[-1].generation, OPERATOR, at_once=True)
    await change.run(store.DROP, id=key_id)
    await change.emit(KEY_RETIRED(purpose=wanted.name, key_id=key_id))
    return wanted


async def reseal(change: Change, ring: Keyring) -> int:
    """Seal every key with the root secret in force, instead of the one before.

    Returns:
        How many keys were sealed anew; 0 when it was done before.

    Raises:
        Misuse: neither root secret sealed them.
    """
    before = await raise_version(change, ring)
    root, done = ring.roots.primary, 0
    for row in await change.all(store.LOAD):
        if row.root == root.id:
            continue
        raw = ring.roots.open(row.root, row.sealed, about(row.purpose, row.id))
        sealed = root.seal(change.world, raw, about(row.purpose, row.id))
        await change.run(store.RESEAL, of_id=row.id, new_sealed=sealed, new_root=root.id)
        done += 1
    if before.id != root.id:
        await change.run(store.SET_ROOT, new_root=root.id, new_canary=ring.canary(root))
    if done:
        await change.emit(RESEALED())
    return done


async def raise_version(change: Change, ring: Keyring) -> RootSeal:
    """Raise the version, wait for whoever else changes the ring, and say what the ring is sealed with now."""
    state = await change.one(store.BUMP)
    if state is None:
        raise Misuse("the keyring has not been opened yet")
    return ring.roots.by_id(state.root)


async def _add(
    change: Change, ring: Keyring, root: RootSeal, wanted: Purpose, newest: int, by: str, *, at_once: bool
) -> str:
    active_at = change.micros + (0 if at_once else span_micros(KNOWN_BEFORE))
    row = ring.fresh(wanted, newest + 1, root, active_at)
    await change.run(store.ADD, **row)
    key_id = str(row["id"])
    await change.emit(KEY_ROTATED(purpose=wanted.name, key_id=key_id, by=by))
    return key_id
