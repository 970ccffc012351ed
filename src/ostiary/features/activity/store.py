"""Owns the statement that walks back through the journal of one account."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.journal.store import journal
from ostiary.storage.statement import Query


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the journal; `data` is a JSON object as text."""

    id: str
    at: int
    type: str
    ip: str
    user_agent: str
    data: str


BEFORE: Final = Query(
    "activity.before",
    sa.select(journal.c.id, journal.c.at, journal.c.type, journal.c.ip, journal.c.user_agent, journal.c.data)
    .where(journal.c.account_id == bindparam("account_id"), journal.c.id < bindparam("before"))
    .order_by(journal.c.id.desc())
    .limit(bindparam("limit", type_=sa.Integer)),
    Row,
    scan=True,
)
