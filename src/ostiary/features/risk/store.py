"""Owns what risk reads of an account's earlier sessions."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.sessions.store import session
from ostiary.storage.statement import Query, command


@dataclass(frozen=True, slots=True)
class Begun:
    """From where, and with what, a session was begun."""

    ip: str
    device: str
    browser: str
    created_at: int
    ended_why: str


_columns: Final = (
    session.c.ip,
    session.c.device,
    session.c.browser,
    session.c.created_at,
    session.c.ended_why,
)
_of_account: Final = session.c.account_id == bindparam("of_account")
_most: Final = bindparam("most", type_=sa.Integer)
_live: Final = (
    sa.select(*_columns)
    .where(_of_account, session.c.ended_at.is_(None))
    .order_by(session.c.created_at.desc())
    .limit(_most)
    .subquery()
)
_ended: Final = (
    sa.select(*_columns)
    .where(_of_account, session.c.ended_at.is_not(None))
    .order_by(session.c.ended_at.desc())
    .limit(_most)
    .subquery()
)
# By the index of live and ended sessions, however many an account has had.
BEGUN: Final = Query("risk.begun", sa.union_all(sa.select(_live), sa.select(_ended)), Begun)
# Also those that had ended before, or had expired without anybody's doing: nothing of before is known any more.
DISOWN: Final = command(
    "risk.disown",
    sa.update(session)
    .where(_of_account)
    .values(
        ended_at=sa.func.coalesce(session.c.ended_at, bindparam("now", type_=sa.BigInteger)),
        ended_why=bindparam("why"),
    ),
)
