"""Owns the table of authenticator apps. A row waits until it is confirmed; its secret is sealed."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.kept.tables import of_table
from ostiary.storage.schema import metadata, moment, number, text
from ostiary.storage.statement import Query, command

totp: Final = sa.Table(
    "totp",
    metadata,
    text("id", primary_key=True),
    text("account_id", sa.ForeignKey("account.id", ondelete="CASCADE")),
    text("name"),
    text("secret"),
    number("last_step"),  # the latest that was accepted; codes of it and of earlier ones are spent
    moment("created_at"),
    moment("expires_at", nullable=True),  # while it waits
    moment("confirmed_at", nullable=True),
    moment("last_used_at", nullable=True),
    sa.Index("ix_totp_account_id", "account_id"),
    sa.Index("ix_totp_expires_at", "expires_at"),
)
KEPT: Final = of_table(
    "authenticator_apps", totp, ("id", "name", "created_at", "expires_at", "confirmed_at", "last_used_at")
)


@dataclass(frozen=True, slots=True)
class TotpRow:
    """An authenticator app."""

    id: str
    account_id: str
    name: str
    secret: str
    last_step: int
    created_at: int
    last_used_at: int | None


_columns = (
    totp.c.id,
    totp.c.account_id,
    totp.c.name,
    totp.c.secret,
    totp.c.last_step,
    totp.c.created_at,
    totp.c.last_used_at,
)
_of_account = totp.c.account_id == bindparam("of_account")  # the actor is part of every lookup (L19)
_is_active = totp.c.confirmed_at.is_not(None)
_waits = sa.and_(totp.c.confirmed_at.is_(None), totp.c.expires_at > bindparam("now"))

ADD: Final = command(
    "totp.add", sa.insert(totp).values({column.name: bindparam(column.name) for column in totp.columns})
)
# The newest alone waits: an older one that was never finished is nobody's any more.
DROP_WAITING: Final = command(
    "totp.drop_waiting", sa.delete(totp).where(_of_account, totp.c.confirmed_at.is_(None))
)
WAITING: Final = Query(
    "totp.waiting", sa.select(*_columns).where(totp.c.id == bindparam("of_id"), _of_account, _waits), TotpRow
)
CONFIRM: Final = command(
    "totp.confirm",
    sa.update(totp)
    .where(totp.c.id == bindparam("of_id"), _of_account, _waits)
    .values(confirmed_at=bindparam("now"), expires_at=sa.null(), last_step=bindparam("step")),
)
ACTIVE: Final = Query(
    "totp.active",
    sa.select(*_columns).where(_of_account, _is_active).order_by(totp.c.confirmed_at, totp.c.id),
    TotpRow,
)
ANY_ACTIVE: Final = Query(
    "totp.any_active", sa.select(totp.c.id).where(_of_account, _is_active).limit(1), str
)
# Compare and swap: of any number of requests with one code, in any number of processes, one moves the step on (L12).
USE: Final = command(
    "totp.use",
    sa.update(totp)
    .where(totp.c.id == bindparam("of_id"), _of_account, _is_active, totp.c.last_step < bindparam("step"))
    .values(last_step=bindparam("step"), last_used_at=bindparam("now")),
)
REMOVE: Final = Query(
    "totp.remove",
    sa.delete(totp).where(totp.c.id == bindparam("of_id"), _of_account, _is_active).returning(totp.c.name),
    str,
)
REMOVE_ALL: Final = Query(
    "totp.remove_all",
    sa.delete(totp).where(_of_account).returning(totp.c.confirmed_at),
    lambda confirmed_at: confirmed_at is not None,
)
SWEEP: Final = command(
    "totp.sweep",
    sa.delete(totp).where(
        totp.c.id.in_(
            sa.select(totp.c.id)
            .where(totp.c.expires_at <= bindparam("now"))
            .limit(bindparam("batch", type_=sa.Integer))
        )
    ),
    scan=True,
)
