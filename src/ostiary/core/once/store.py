"""Owns the table of single-use secrets and the statements that take them."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert

from ostiary.storage.schema import blob, metadata, moment, number, text
from ostiary.storage.statement import Query, command

once: Final = sa.Table(
    "once",
    metadata,
    blob("hash", primary_key=True),
    text("purpose"),
    text("subject"),
    text("mac"),  # of a code; "" for a link secret
    number("tries_left"),
    text("data"),
    moment("created_at"),
    moment("expires_at", index=True),
    sa.Index("ix_once_subject_purpose", "subject", "purpose", unique=True),
)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a secret was issued for."""

    subject: str
    data: str


@dataclass(frozen=True, slots=True)
class TriedCode:
    """A code of which one try was just spent."""

    hash: bytes
    mac: str
    data: str


# Replacing is one statement: two mails asked for at once leave one secret, not two that are both "the newest".
ISSUE: Final = command(
    "once.issue",
    insert(once)
    .values({c.name: bindparam(c.name) for c in once.columns})
    .on_conflict_do_update(
        index_elements=[once.c.subject, once.c.purpose],
        set_={c.name: bindparam(c.name, type_=c.type) for c in once.columns},
    ),
)
CLAIM: Final = command(
    "once.claim",
    insert(once).values({c.name: bindparam(c.name) for c in once.columns}).on_conflict_do_nothing(),
)
_good = (
    once.c.hash == bindparam("hash"),
    once.c.purpose == bindparam("purpose"),
    once.c.expires_at > bindparam("now"),
)
LOOK: Final = Query("once.look", sa.select(once.c.subject, once.c.data).where(*_good), Taken)
TAKE: Final = Query("once.take", sa.delete(once).where(*_good).returning(once.c.subject, once.c.data), Taken)
TAKE_OF: Final = Query(
    "once.take_of",
    sa.delete(once)
    .where(
        once.c.subject == bindparam("subject"),
        once.c.purpose == bindparam("purpose"),
        once.c.expires_at > bindparam("now"),
    )
    .returning(once.c.subject, once.c.data),
    Taken,
)
SPEND_TRY: Final = Query(
    "once.spend_try",
    sa.update(once)
    .where(
        once.c.subject == bindparam("of_subject"),
        once.c.purpose == bindparam("of_purpose"),
        once.c.expires_at > bindparam("now"),
        once.c.tries_left > 0,
    )
    .values(tries_left=once.c.tries_left - 1)
    .returning(once.c.hash, once.c.mac, once.c.data),
    TriedCode,
)
SWEEP: Final = command(
    "once.sweep",
    sa.delete(once).where(
        once.c.hash.in_(
            sa.select(once.c.hash)
            .where(once.c.expires_at < bindparam("now"))
            .limit(bindparam("batch", type_=sa.Integer))
        )
    ),
    scan=True,
)
