"""Owns the table of counters: one row per limit and subject, both hidden behind a keyed hash."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert

from ostiary.storage.schema import blob, metadata, moment, text
from ostiary.storage.statement import Query, command

throttle: Final = sa.Table(
    "throttle",
    metadata,
    blob("key", primary_key=True),
    text("state"),
    moment("expires_at", index=True),
)


@dataclass(frozen=True, slots=True)
class Counted:
    """The stored state, as JSON."""

    state: str


# Making the row if need be and locking it is one statement, so two first tries cannot both see nothing.
LOCK: Final = Query(
    "throttle.lock",
    insert(throttle)
    .values(key=bindparam("key"), state="", expires_at=bindparam("expires_at"))
    .on_conflict_do_update(index_elements=[throttle.c.key], set_={"expires_at": throttle.c.expires_at})
    .returning(throttle.c.state),
    Counted,
)
PEEK: Final = Query(
    "throttle.peek", sa.select(throttle.c.state).where(throttle.c.key == bindparam("key")), Counted
)
SAVE: Final = command(
    "throttle.save",
    sa.update(throttle)
    .where(throttle.c.key == bindparam("at_key"))
    .values(state=bindparam("new_state"), expires_at=bindparam("new_expires_at")),
)
# Giving a hit back never makes a row live longer or shorter than its window.
REPLACE: Final = command(
    "throttle.replace",
    sa.update(throttle).where(throttle.c.key == bindparam("at_key")).values(state=bindparam("new_state")),
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
