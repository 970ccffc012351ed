"""Owns the table of sessions."""

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.accounts.store import account, account_columns, with_primary
from ostiary.storage.schema import blob, flag, metadata, moment, number, text
from ostiary.storage.statement import Query, command

session: Final = sa.Table(
    "session",
    metadata,
    text("id", primary_key=True),
    text("account_id", sa.ForeignKey("account.id", ondelete="CASCADE")),
    blob("secret_hash"),
    number("security_epoch"),
    moment("created_at"),
    moment("last_seen_at"),
    moment("expires_at"),
    number("idle_for"),
    moment("authenticated_at"),
    text("amr"),
    text("acr"),
    flag("is_remembered"),
    text("ip"),
    text("user_agent"),
    text("device"),
    text("browser"),
    text("data"),
    moment("ended_at", nullable=True),
    text("ended_why"),
    sa.Index("ix_session_account_id_ended_at", "account_id", "ended_at"),
    sa.Index("ix_session_expires_at", "expires_at"),
)


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as stored."""

    id: str
    account_id: str
    created_at: int
    last_seen_at: int
    expires_at: int
    idle_for: int
    authenticated_at: int
    amr: str
    acr: str
    is_remembered: int
    ip: str
    device: str
    browser: str
    data: str


_columns = (
    session.c.id,
    session.c.account_id,
    session.c.created_at,
    session.c.last_seen_at,
    session.c.expires_at,
    session.c.idle_for,
    session.c.authenticated_at,
    session.c.amr,
    session.c.acr,
    session.c.is_remembered,
    session.c.ip,
    session.c.device,
    session.c.browser,
    session.c.data,
)
SESSION_WIDTH: Final = len(_columns)

ADD: Final = command(
    "sessions.add", sa.insert(session).values({c.name: bindparam(c.name) for c in session.columns})
)
# One indexed query answers who this is and whether they still may: the hot path of every request.
RESOLVE: Final = Query(
    "sessions.resolve",
    sa.select(
        *_columns,
        session.c.secret_hash,
        session.c.security_epoch,
        session.c.ended_at,
        *account_columns,
    )
    .select_from(with_primary(session.join(account, account.c.id == session.c.account_id)))
    .where(session.c.id == bindparam("id")),
    lambda *columns: columns,
)
TOUCH: Final = command(
    "sessions.touch",
    sa.update(session)
    .where(
        session.c.id == bindparam("of_id"),
        session.c.last_seen_at == bindparam("was_seen_at"),
        session.c.ended_at.is_(None),
    )
    .values(last_seen_at=bindparam("now")),
)
_live = (
    session.c.ended_at.is_(None),
    session.c.expires_at > bindparam("now"),
    session.c.last_seen_at + session.c.idle_for > bindparam("now"),
)
_renewed: Final[dict[str, sa.ColumnElement[Any]]] = {
    "id": bindparam("new_id", type_=sa.Text),
    "secret_hash": bindparam("new_secret_hash", type_=sa.LargeBinary),
    "security_epoch": account.c.security_epoch,
    "last_seen_at": bindparam("now", type_=sa.BigInteger),
    "amr": bindparam("new_amr", type_=sa.Text),
    "acr": bindparam("new_acr", type_=sa.Text),
    "ended_at": sa.null(),
    "ended_why": sa.literal("", sa.Text),
}
LIVE: Final = Query(
    "sessions.live",
    sa.select(*_columns)
    .join(account, account.c.id == session.c.account_id)
    .where(
        session.c.account_id == bindparam("account_id"),
        session.c.security_epoch == account.c.security_epoch,
        *_live,
    )
    .order_by(session.c.created_at, session.c.id),
    SessionRow,
)
END_OLDEST: Final = Query(
    "sessions.end_oldest",
    sa.update(session)
    .where(
        session.c.id.in_(
            sa.select(session.c.id)
            .where(session.c.account_id == bindparam("of_account"), *_live)
            .order_by(session.c.created_at.desc(), session.c.id.desc())
            .offset(bindparam("keep", type_=sa.Integer))
        )
    )
    .values(ended_at=bindparam("now"), ended_why=bindparam("why"))
    .returning(session.c.id),
    str,
)
END: Final = command(
    "sessions.end",
    sa.update(session)
    .where(
        session.c.id == bindparam("of_id"),
        session.c.account_id == bindparam("of_account"),  # the actor is part of the lookup (L19)
        *_live,
    )
    .values(ended_at=bindparam("now"), ended_why=bindparam("why")),
)
END_ALL: Final = Query(
    "sessions.end_all",
    sa.update(session)
    .where(
        session.c.account_id == bindparam("of_account"),
        session.c.id != bindparam("except_id"),
        *_live,
    )
    .values(ended_at=bindparam("now"), ended_why=bindparam("why"))
    .returning(session.c.id),
    str,
)
# A copy under another id and secret, at the account's present epoch, of a session that this change has just ended.
RENEW: Final = Query(
    "sessions.renew",
    sa.insert(session)
    .from_select(
        [column.name for column in session.columns],
        sa.select(*[_renewed.get(column.name, column) for column in session.columns])
        .select_from(session.join(account, account.c.id == session.c.account_id))
        .where(session.c.id == bindparam("of_id"), session.c.account_id == bindparam("of_account")),
    )
    .returning(*_columns),
    SessionRow,
)
SET_DATA: Final = command(
    "sessions.set_data",
    sa.update(session)
    .where(session.c.id == bindparam("of_id"), session.c.ended_at.is_(None))
    .values(data=bindparam("new_data")),
)
SWEEP: Final = command(
    "sessions.sweep",
    sa.delete(session).where(
        session.c.id.in_(
            sa.select(session.c.id)
            .where(session.c.expires_at < bindparam("before"))
            .limit(bindparam("batch", type_=sa.Integer))
        )
    ),
    scan=True,
)
