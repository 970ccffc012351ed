"""Owns what happens to signing keys: making the first, taking turns, retiring one, importing one.

Every change raises the version of the ring first, as in `core/keys/rotation.py`: changes stand in a line, and every
process notices them. New keys are made before, since an RSA key takes its time, and handed in; one too many is thrown
away unseen.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import orjson

from ostiary.core.change import Change
from ostiary.core.keys.ring import Keyring
from ostiary.core.keys.rotation import KEY_RETIRED, KEY_ROTATED, OPERATOR, SCHEDULE, raise_version
from ostiary.core.keys.signing import store
from ostiary.core.keys.signing.keys import seal
from ostiary.core.keys.signing.store import CURRENT, NEXT, PREVIOUS, RETIRED, SigningRow
from ostiary.kernel.errors import Misuse
from ostiary.kernel.events import EventType, Severity
from ostiary.kernel.world import span_micros
from ostiary.protocols.jose.jwk import write_key
from ostiary.protocols.jose.keys import SigningKey
from ostiary.storage.database import Reads

SIGNING: Final = "signing"
IMPORTED: Final = EventType(
    "key_imported", "A signing key of the operator's own is to take over next.", Severity.WARNING, ("key_id",)
)
EVENTS: Final = (IMPORTED,)


def in_state(rows: Sequence[SigningRow], state: str) -> SigningRow | None:
    """The one key that is next or current."""
    return next((row for row in rows if row.state == state), None)


def missing(rows: Sequence[SigningRow], algorithm: str) -> int:
    """How many keys must be made so that there are a current one and a next one of this algorithm. Pure."""
    following = in_state(rows, NEXT)
    return (in_state(rows, CURRENT) is None) + (following is None or following.algorithm != algorithm)


def is_due(rows: Sequence[SigningRow], every: timedelta, overlap: timedelta, now: int) -> bool:
    """Whether the next key has to take over, or a previous one has served its time. Pure.

    Args:
        every: How long a key signs.
        overlap: How long it is believed after that.
        now: UTC microseconds.
    """
    current = in_state(rows, CURRENT)
    return bool(current and current.since + span_micros(every) <= now) or bool(_served(rows, overlap, now))


def _served(rows: Sequence[SigningRow], overlap: timedelta, now: int) -> list[SigningRow]:
    return [row for row in rows if row.state == PREVIOUS and row.since + span_micros(overlap) <= now]


async def load(reads: Reads) -> list[SigningRow]:
    """Every signing key, the oldest first, retired ones too."""
    return await reads.all(store.LOAD)


async def establish(change: Change, ring: Keyring, algorithm: str, fresh: list[SigningKey]) -> None:
    """See to it that there are a current key, and a next one of the algorithm that is wanted.

    Args:
        fresh: As many new keys as `missing` asked for.
    """
    await raise_version(change, ring)
    rows = await load(change)
    if in_state(rows, CURRENT) is None and fresh:
        await _add(change, ring, fresh.pop(), CURRENT)
    following = in_state(rows, NEXT)
    if (following is None or following.algorithm != algorithm) and fresh:
        await _replace_next(change, ring, rows, fresh.pop())


async def follow_schedule(
    change: Change, ring: Keyring, fresh: SigningKey, every: timedelta, overlap: timedelta
) -> int:
    """Let the next key take over when the current one has signed for long enough, and retire what has served its time.

    Returns:
        How many keys changed their state; of several processes that do this at once only the first one changes any.
    """
    await raise_version(change, ring)
    rows = await load(change)
    served = _served(rows, overlap, change.micros)
    for row in served:
        await _move(change, row, RETIRED)
    current = in_state(rows, CURRENT)
    if current is None or current.since + span_micros(every) > change.micros:
        return len(served)
    await _take_over(change, ring, rows, current, PREVIOUS, fresh, SCHEDULE)
    return len(served) + 1


async def rotate(change: Change, ring: Keyring, fresh: SigningKey) -> str:
    """Let the next key take over now.

    Returns:
        Its kid.
    """
    await raise_version(change, ring)
    rows = await load(change)
    current = in_state(rows, CURRENT)
    if current is None:
        raise Misuse("there is no signing key yet")
    return await _take_over(change, ring, rows, current, PREVIOUS, fresh, OPERATOR)


async def retire(change: Change, ring: Keyring, kid: str, fresh: SigningKey) -> bool:
    """End a signing key at once: nobody believes it any more. The next one takes over if it was the current one.

    Returns:
        Whether there was such a key that was not retired yet.
    """
    await raise_version(change, ring)
    rows = await load(change)
    row = next((row for row in rows if row.kid == kid and row.state != RETIRED), None)
    if row is None:
        return False
    if row.state == CURRENT:
        await _take_over(change, ring, rows, row, RETIRED, fresh, OPERATOR)
    else:
        await _move(change, row, RETIRED)
        if row.state == NEXT:
            await _add(change, ring, fresh, NEXT)
    await change.emit(KEY_RETIRED(purpose=SIGNING, key_id=kid))
    return True


async def take_in(change: Change, ring: Keyring, key: SigningKey) -> bool:
    """Let a key of the operator's own be the next one, or the first one if there is none yet.

    Returns:
        False when it is known already.

    Raises:
        Misuse: it was retired, and is not to be believed ever again.
    """
    await raise_version(change, ring)
    rows = await load(change)
    known = next((row for row in rows if row.kid == key.kid), None)
    if known is not None:
        if known.state == RETIRED:
            raise Misuse(f"signing key {key.kid} was retired; give another one")
        return False
    if in_state(rows, CURRENT) is None:
        await _add(change, ring, key, CURRENT)
    else:
        await _replace_next(change, ring, rows, key)
    await change.emit(IMPORTED(key_id=key.kid))
    return True


async def _take_over(
    change: Change,
    ring: Keyring,
    rows: Sequence[SigningRow],
    current: SigningRow,
    becomes: str,
    fresh: SigningKey,
    by: str,
) -> str:
    following = in_state(rows, NEXT)
    if following is None:
        raise Misuse("there is no next signing key yet")
    await _move(change, current, becomes)
    await _move(change, following, CURRENT)
    await _add(change, ring, fresh, NEXT)
    await change.emit(KEY_ROTATED(purpose=SIGNING, key_id=following.kid, by=by))
    return following.kid


async def _replace_next(change: Change, ring: Keyring, rows: Sequence[SigningRow], key: SigningKey) -> None:
    following = in_state(rows, NEXT)
    if following is not None:  # it has signed nothing
        await change.run(store.DROP, kid=following.kid)
    await _add(change, ring, key, NEXT)


async def _move(change: Change, row: SigningRow, state: str) -> None:
    kept = row.sealed if state == CURRENT else ""
    await change.run(
        store.MOVE, of_kid=row.kid, of_state=row.state, new_state=state, now=change.micros, kept=kept
    )


async def _add(change: Change, ring: Keyring, key: SigningKey, state: str) -> None:
    await change.run(
        store.ADD,
        kid=key.kid,
        algorithm=key.alg,
        state=state,
        since=change.micros,
        public=orjson.dumps(write_key(key.verifying)).decode(),
        sealed=seal(ring, key),
        created_at=change.micros,
    )
