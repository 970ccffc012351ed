"""Owns the table of events."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.storage.database import Transaction
from ostiary.storage.schema import metadata, moment, text
from ostiary.storage.statement import Query, command

journal: Final = sa.Table(
    "journal",
    metadata,
    text("id", primary_key=True),  # ordered by time
    moment("at"),
    text("type"),
    text("severity"),
    text("account_id", nullable=True),
    text("ip"),
    text("user_agent"),
    text("request_id"),
    text("data"),
    sa.Index("ix_journal_account_id_id", "account_id", "id"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the journal; `data` is a JSON object as text."""

    id: str
    at: int
    type: str
    severity: str
    account_id: str | None
    ip: str
    user_agent: str
    request_id: str
    data: str


MOST_AT_ONCE: Final = 8


def _add(count: int) -> Query[None]:
    rows: list[dict[str, Any]] = [
        {column.name: bindparam(f"{column.name}_{at}", type_=column.type) for column in journal.columns}
        for at in range(count)
    ]
    return command(f"journal.add_{count}", sa.insert(journal).values(rows))


_ADD: Final = tuple(_add(count + 1) for count in range(MOST_AT_ONCE))
LATEST: Final = Query(
    "journal.latest",
    sa.select(*journal.columns).order_by(journal.c.id.desc()).limit(bindparam("limit", type_=sa.Integer)),
    Entry,
    scan=True,
)


async def add(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Write entries, in their order."""
    for at in range(0, len(entries), MOST_AT_ONCE):
        some = entries[at : at + MOST_AT_ONCE]
        given: dict[str, Any] = {}
        for number, entry in enumerate(some):
            given |= {f"{name}_{number}": getattr(entry, name) for name in Entry.__slots__}
        await tx.run(_ADD[len(some) - 1], **given)
