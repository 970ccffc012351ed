"""Owns the table of events."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

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


ADD: Final = command(
    "journal.add", sa.insert(journal).values({c.name: bindparam(c.name) for c in journal.columns})
)
LATEST: Final = Query(
    "journal.latest",
    sa.select(*journal.columns).order_by(journal.c.id.desc()).limit(bindparam("limit", type_=sa.Integer)),
    Entry,
    scan=True,
)
