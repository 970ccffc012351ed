"""Owns what alerts read of an account's earlier sessions."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.sessions.store import session
from ostiary.storage.statement import Query


@dataclass(frozen=True, slots=True)
class Place:
    """From where, and with what, a session was begun."""

    id: str
    ip: str
    device: str
    browser: str


PLACES: Final = Query(
    "alerts.places",
    sa.select(session.c.id, session.c.ip, session.c.device, session.c.browser)
    .where(session.c.account_id == bindparam("of_account"))
    .order_by(session.c.created_at.desc())
    .limit(bindparam("most", type_=sa.Integer)),
    Place,
)
