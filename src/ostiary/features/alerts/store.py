"""Owns what alerts read of an account's earlier sessions."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.sessions.store import session
from ostiary.core.signin.disowned import DISOWNED
from ostiary.storage.statement import Query


@dataclass(frozen=True, slots=True)
class Place:
    """From where, and with what, a session was begun."""

    id: str
    ip: str
    device: str
    browser: str


_earlier: Final = session.alias("earlier")
# What was there before an owner's "this was not me" says nothing of who is at home.
_disowned_at: Final = (
    sa.select(sa.func.coalesce(sa.func.max(_earlier.c.ended_at), 0))
    .where(_earlier.c.account_id == bindparam("of_account"), _earlier.c.ended_why == DISOWNED.name)
    .scalar_subquery()
)
PLACES: Final = Query(
    "alerts.places",
    sa.select(session.c.id, session.c.ip, session.c.device, session.c.browser)
    .where(session.c.account_id == bindparam("of_account"), session.c.created_at >= _disowned_at)
    .order_by(session.c.created_at.desc())
    .limit(bindparam("most", type_=sa.Integer)),
    Place,
)
