"""Owns the table of revocations."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.storage.schema import metadata, moment, number, text
from ostiary.storage.statement import Query, command

# The ids order the rows by the time at which they were written (ULID), to the millisecond and per process clock.
revocation: Final = sa.Table(
    "revocation",
    metadata,
    text("id", primary_key=True),
    text("kind"),
    text("mark"),
    number("version", nullable=True),
    moment("until", index=True),
)


@dataclass(frozen=True, slots=True)
class RevocationRow:
    """An entry as stored."""

    id: str
    kind: str
    mark: str
    version: int | None
    until: int


ADD: Final = command(
    "revocations.add", sa.insert(revocation).values({c.name: bindparam(c.name) for c in revocation.columns})
)
PAGE: Final = Query(
    "revocations.page",
    sa.select(*revocation.columns)
    .where(revocation.c.id > bindparam("after"), revocation.c.until > bindparam("now"))
    .order_by(revocation.c.id)
    .limit(bindparam("limit", type_=sa.Integer)),
    RevocationRow,
    scan=True,
)


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows there are after one id, and of them after a later one."""

    all: int
    later: int


COUNT: Final = Query(
    "revocations.count",
    sa.select(
        sa.func.count(),
        sa.func.count(sa.case((revocation.c.id > bindparam("later", type_=sa.Text), 1))),
    )
    .select_from(revocation)
    .where(revocation.c.id > bindparam("after")),
    Count,
    scan=True,
)
SWEEP: Final = command(
    "revocations.sweep",
    sa.delete(revocation).where(
        revocation.c.id.in_(
            sa.select(revocation.c.id)
            .where(revocation.c.until < bindparam("now"))
            .limit(bindparam("batch", type_=sa.Integer))
        )
    ),
    scan=True,
)
