"""Owns the table of what waits to be delivered; its content is sealed, so a row says only when and how often."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.storage.schema import metadata, moment, number, text
from ostiary.storage.statement import Query, command

QUEUED: Final = "queued"
DEAD: Final = "dead"

outbox: Final = sa.Table(
    "outbox",
    metadata,
    text("id", primary_key=True),  # ordered by time
    text("kind"),
    text("sealed"),
    moment("created_at"),
    moment("due_at"),  # of a dead row: when it died
    moment("lease_until", nullable=True),
    number("attempts"),
    text("state"),
    text("last_error"),  # our own words and status numbers, never what the other side said
    sa.Index("ix_outbox_state_due_at", "state", "due_at"),
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that this worker alone may deliver until its lease ends; `attempts` counts this try."""

    id: str
    kind: str
    sealed: str
    created_at: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A row as somebody looks at it who does not deliver it; `due_at` of a dead one is when it died."""

    id: str
    kind: str
    sealed: str
    created_at: int
    due_at: int
    attempts: int
    state: str
    last_error: str

    @property
    def is_dead(self) -> bool:
        """Whether nobody will try to deliver it again unless told to."""
        return self.state == DEAD


_now = bindparam("now", type_=sa.BigInteger)
_is_due = sa.and_(
    outbox.c.state == QUEUED,
    outbox.c.due_at <= _now,
    sa.or_(outbox.c.lease_until.is_(None), outbox.c.lease_until < _now),
)
_is_this_try = sa.and_(
    outbox.c.id == bindparam("at_id"), outbox.c.attempts == bindparam("at_attempts"), outbox.c.state == QUEUED
)

ADD: Final = command(
    "outbox.add",
    sa.insert(outbox).values(
        id=bindparam("id"),
        kind=bindparam("kind"),
        sealed=bindparam("sealed"),
        created_at=bindparam("created_at"),
        due_at=bindparam("due_at"),
        attempts=0,
        state=QUEUED,
        last_error="",
    ),
)
# Asked before claiming: an idle worker then costs one read, and no write transaction each second.
PEEK: Final = Query("outbox.peek", sa.select(outbox.c.id).where(_is_due).limit(1), str)
# The rows are chosen in a CTE because PostgreSQL may run a plain sub-select with LIMIT more than once, and lock more
# rows than asked for; a CTE with FOR UPDATE runs exactly once. SQLite has one writer and needs no lock.
_chosen = (
    sa.select(outbox.c.id)
    .where(_is_due)
    .order_by(outbox.c.due_at)
    .limit(bindparam("batch", type_=sa.Integer))
    .with_for_update(skip_locked=True)
    .cte("chosen")
)
CLAIM: Final = Query(
    "outbox.claim",
    sa.update(outbox)
    .where(outbox.c.id.in_(sa.select(_chosen.c.id)))
    .values(lease_until=bindparam("new_lease_until"), attempts=outbox.c.attempts + 1)
    .returning(outbox.c.id, outbox.c.kind, outbox.c.sealed, outbox.c.created_at, outbox.c.attempts),
    Claimed,
)
# Whoever delivered it deletes it, even when the lease is over and another worker has it: once is enough.
DELIVERED: Final = command("outbox.delivered", sa.delete(outbox).where(outbox.c.id == bindparam("id")))
# A failure is only written by the worker whose try it was (`attempts` is the fence).
RETRY: Final = command(
    "outbox.retry",
    sa.update(outbox)
    .where(_is_this_try)
    .values(due_at=bindparam("new_due_at"), lease_until=sa.null(), last_error=bindparam("new_error")),
)
BURY: Final = command(
    "outbox.bury",
    sa.update(outbox)
    .where(_is_this_try)
    .values(
        state=DEAD, due_at=bindparam("new_due_at"), lease_until=sa.null(), last_error=bindparam("new_error")
    ),
)
_kept = sa.select(
    outbox.c.id,
    outbox.c.kind,
    outbox.c.sealed,
    outbox.c.created_at,
    outbox.c.due_at,
    outbox.c.attempts,
    outbox.c.state,
    outbox.c.last_error,
).where(outbox.c.kind == bindparam("kind"))
_dead = _kept.where(outbox.c.state == DEAD)
LATEST: Final = Query(
    "outbox.latest",
    _kept.order_by(outbox.c.id.desc()).limit(bindparam("limit", type_=sa.Integer)),
    Kept,
    scan=True,
)
LATEST_DEAD: Final = Query(
    "outbox.latest_dead",
    _dead.order_by(outbox.c.id.desc()).limit(bindparam("limit", type_=sa.Integer)),
    Kept,
    scan=True,
)
DEAD_AFTER: Final = Query(
    "outbox.dead_after",
    _dead.where(outbox.c.id > bindparam("after"))
    .order_by(outbox.c.id)
    .limit(bindparam("limit", type_=sa.Integer)),
    Kept,
    scan=True,
)
DEAD_ONE: Final = Query("outbox.dead_one", _dead.where(outbox.c.id == bindparam("id")), Kept)
REQUEUE: Final = command(
    "outbox.requeue",
    sa.update(outbox)
    .where(outbox.c.id == bindparam("at_id"), outbox.c.state == DEAD)
    .values(state=QUEUED, due_at=bindparam("new_due_at"), lease_until=sa.null(), attempts=0),
)
SWEEP_DEAD: Final = command(
    "outbox.sweep_dead",
    sa.delete(outbox).where(
        outbox.c.state == DEAD,  # again outside: it may have been requeued between choosing and deleting
        outbox.c.id.in_(
            sa.select(outbox.c.id)
            .where(outbox.c.state == DEAD, outbox.c.due_at < bindparam("before"))
            .limit(bindparam("batch", type_=sa.Integer))
        ),
    ),
    scan=True,
)
