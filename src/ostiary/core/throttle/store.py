"""Owns the table of counters: one row per limit and subject, both hidden behind a keyed hash."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import Insert, insert

from ostiary.storage.database import Transaction
from ostiary.storage.schema import blob, metadata, moment, text
from ostiary.storage.statement import Query, command

throttle: Final = sa.Table(
    "throttle",
    metadata,
    blob("key", primary_key=True),
    text("state"),
    moment("expires_at", index=True),
)


MOST_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class Counted:
    """The stored state, as JSON; "" for a row that has just been made."""

    key: bytes
    state: str


def _rows(count: int) -> Insert:
    rows: list[dict[str, Any]] = [
        {column.name: bindparam(f"{column.name}_{at}", type_=column.type) for column in throttle.columns}
        for at in range(count)
    ]
    return insert(throttle).values(rows)


def _lock(count: int) -> Query[Counted]:
    return Query(
        f"throttle.lock_{count}",
        _rows(count)
        .on_conflict_do_update(index_elements=[throttle.c.key], set_={"expires_at": throttle.c.expires_at})
        .returning(throttle.c.key, throttle.c.state),
        Counted,
    )


def _save(count: int) -> Query[None]:
    rows = _rows(count)
    taken = {"state": rows.excluded.state, "expires_at": rows.excluded.expires_at}
    return command(
        f"throttle.save_{count}", rows.on_conflict_do_update(index_elements=[throttle.c.key], set_=taken)
    )


# Making the rows if need be and locking them is one statement, so two first tries cannot both see nothing. PostgreSQL
# takes them in the order given (one INSERT, row after row).
_LOCK: Final = tuple(_lock(count + 1) for count in range(MOST_AT_ONCE))
_SAVE: Final = tuple(_save(count + 1) for count in range(MOST_AT_ONCE))
PEEK: Final = Query(
    "throttle.peek",
    sa.select(throttle.c.key, throttle.c.state).where(throttle.c.key == bindparam("key")),
    Counted,
)
# Giving a hit back never makes a row live longer or shorter than its window.
REPLACE: Final = command(
    "throttle.replace",
    sa.update(throttle).where(throttle.c.key == bindparam("at_key")).values(state=bindparam("new_state")),
)
# The two usual ways to take one hit out of a window, without reading it first: out of several, or the row that holds
# nothing else. A hit is "[stamp,1]".
_without: Final = sa.func.replace(
    sa.func.replace(throttle.c.state, bindparam("hit_and_comma", type_=sa.Text), ""),
    bindparam("comma_and_hit", type_=sa.Text),
    "",
    type_=sa.Text,
)
TAKE_OUT: Final = command(
    "throttle.take_out",
    sa.update(throttle)
    .where(throttle.c.key == bindparam("at_key"), throttle.c.state != _without)
    .values(state=_without),
)
CLEAR_IF: Final = command(
    "throttle.clear_if",
    sa.delete(throttle).where(throttle.c.key == bindparam("key"), throttle.c.state == bindparam("state")),
)
CLEAR: Final = command("throttle.clear", sa.delete(throttle).where(throttle.c.key == bindparam("key")))
SWEEP: Final = command(
    "throttle.sweep",
    sa.delete(throttle).where(
        throttle.c.expires_at
        < bindparam("now"),  # again outside: it may have been used between choosing and deleting
        throttle.c.key.in_(
            sa.select(throttle.c.key)
            .where(throttle.c.expires_at < bindparam("now"))
            .limit(bindparam("batch", type_=sa.Integer))
        ),
    ),
    scan=True,
)


async def lock(tx: Transaction, rows: Sequence[tuple[bytes, int]]) -> dict[bytes, str]:
    """Lock counters, making those that are not there, in the order given.

    Args:
        rows: Up to `MOST_AT_ONCE` times a key, and until when a new row is kept.

    Returns:
        Their states by key.
    """
    made = _given([(key, "", expires_at) for key, expires_at in rows])
    return {row.key: row.state for row in await tx.all(_LOCK[len(rows) - 1], **made)}


async def save(tx: Transaction, rows: Sequence[tuple[bytes, str, int]]) -> None:
    """Write counters that are locked.

    Args:
        rows: Up to `MOST_AT_ONCE` times a key, a state, and until when it is kept.
    """
    await tx.run(_SAVE[len(rows) - 1], **_given(rows))


def _given(rows: Sequence[tuple[bytes, str, int]]) -> dict[str, bytes | str | int]:
    given: dict[str, bytes | str | int] = {}
    for at, (key, state, expires_at) in enumerate(rows):
        given[f"key_{at}"], given[f"state_{at}"], given[f"expires_at_{at}"] = key, state, expires_at
    return given
