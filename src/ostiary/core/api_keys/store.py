"""Owns the table of API keys. A key itself is nowhere in it: a row holds its hash, and what may be shown of it."""

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.accounts.store import account, account_columns, with_primary
from ostiary.storage.schema import blob, metadata, moment, number, text
from ostiary.storage.statement import Query, command

api_key: Final = sa.Table(
    "api_key",
    metadata,
    text("id", primary_key=True),
    text("account_id", sa.ForeignKey("account.id", ondelete="CASCADE")),
    text("name"),
    text("shown"),
    blob("hash"),
    number(
        "security_epoch"
    ),  # the account's when the key was made; another one, and the key counts for nothing
    text("scopes"),
    text("networks"),
    moment("created_at"),
    moment("expires_at", nullable=True),
    moment("last_used_at", nullable=True),
    moment("revoked_at", nullable=True),
    text("rotated_to", nullable=True),
    text("acr", nullable=True),  # the class of the session that made it; none: of before this was kept
    sa.Index("ix_api_key_account_id", "account_id"),
    sa.Index("ix_api_key_expires_at", "expires_at"),
    sa.Index("ix_api_key_revoked_at", "revoked_at"),
)


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as stored; `scopes` and `networks` are JSON lists as text."""

    id: str
    account_id: str
    name: str
    shown: str
    scopes: str
    networks: str
    created_at: int
    expires_at: int | None
    last_used_at: int | None
    revoked_at: int | None
    rotated_to: str | None
    acr: str | None


_columns = (
    api_key.c.id,
    api_key.c.account_id,
    api_key.c.name,
    api_key.c.shown,
    api_key.c.scopes,
    api_key.c.networks,
    api_key.c.created_at,
    api_key.c.expires_at,
    api_key.c.last_used_at,
    api_key.c.revoked_at,
    api_key.c.rotated_to,
    api_key.c.acr,
)
KEY_WIDTH: Final = len(_columns)
_of_account = api_key.c.account_id == bindparam("of_account")  # the actor is part of every lookup (L19)
_is_current = api_key.c.security_epoch == account.c.security_epoch
_is_alive = (
    api_key.c.revoked_at.is_(None),
    sa.or_(api_key.c.expires_at.is_(None), api_key.c.expires_at > bindparam("now")),
)
_current_epoch = (
    sa.select(account.c.security_epoch).where(account.c.id == bindparam("of_account")).scalar_subquery()
)

ADD: Final = command(
    "api_keys.add", sa.insert(api_key).values({c.name: bindparam(c.name) for c in api_key.columns})
)
# One indexed query says which key this is, whose it is, and whether they still may.
RESOLVE: Final[Query[tuple[Any, ...]]] = Query(
    "api_keys.resolve",
    sa.select(
        *_columns,
        api_key.c.hash,
        api_key.c.security_epoch,
        *account_columns,
        account.c.deletion_due_at,
        account.c.kind,
    )
    .select_from(with_primary(api_key.join(account, account.c.id == api_key.c.account_id)))
    .where(api_key.c.id == bindparam("id")),
    lambda *columns: columns,
)
# Compare and swap: of many requests at once one writes, and a revoked key is left as it is.
TOUCH: Final = command(
    "api_keys.touch",
    sa.update(api_key)
    .where(
        api_key.c.id == bindparam("of_id"),
        sa.func.coalesce(api_key.c.last_used_at, 0) == bindparam("was_used_at"),
        api_key.c.revoked_at.is_(None),
    )
    .values(last_used_at=bindparam("now")),
)
# What its owner sees: keys that work, and those that have run out until they are swept.
LISTED: Final = Query(
    "api_keys.listed",
    sa.select(*_columns)
    .select_from(api_key.join(account, account.c.id == api_key.c.account_id))
    .where(_of_account, _is_current, api_key.c.revoked_at.is_(None))
    .order_by(api_key.c.created_at, api_key.c.id),
    KeyRow,
)
ALIVE: Final = Query(
    "api_keys.alive",
    sa.select(sa.func.count())
    .select_from(api_key.join(account, account.c.id == api_key.c.account_id))
    .where(_of_account, _is_current, api_key.c.rotated_to.is_(None), *_is_alive),
    int,
)
# Of any number of rotations at once one finds a key that was not rotated yet. It ends by then, or earlier.
ROTATE: Final = command(
    "api_keys.rotate",
    sa.update(api_key)
    .where(
        api_key.c.id == bindparam("of_id"),
        _of_account,
        api_key.c.security_epoch == _current_epoch,
        api_key.c.rotated_to.is_(None),
        *_is_alive,
    )
    .values(
        rotated_to=bindparam("successor"),
        expires_at=sa.case(
            (api_key.c.expires_at < bindparam("until", type_=sa.BigInteger), api_key.c.expires_at),
            else_=bindparam("until", type_=sa.BigInteger),
        ),
    ),
)
# Those that a reset or the like has ended: their owner sees them no more.
DROP_ENDED: Final = command(
    "api_keys.drop_ended", sa.delete(api_key).where(_of_account, api_key.c.security_epoch != _current_epoch)
)
FIND: Final = Query(
    "api_keys.find",
    sa.select(*_columns)
    .select_from(api_key.join(account, account.c.id == api_key.c.account_id))
    .where(api_key.c.id == bindparam("of_id"), _of_account, _is_current, api_key.c.revoked_at.is_(None)),
    KeyRow,
)
REVOKE: Final = Query(
    "api_keys.revoke",
    sa.update(api_key)
    .where(
        api_key.c.id == bindparam("of_id"),
        _of_account,
        api_key.c.security_epoch == _current_epoch,
        api_key.c.revoked_at.is_(None),
    )
    .values(revoked_at=bindparam("now"))
    .returning(*_columns),
    KeyRow,
)
OWNER: Final = Query(
    "api_keys.owner", sa.select(api_key.c.account_id).where(api_key.c.id == bindparam("of_id")), str
)
SWEEP_EXPIRED: Final = command(
    "api_keys.sweep_expired",
    sa.delete(api_key).where(
        api_key.c.id.in_(
            sa.select(api_key.c.id)
            .where(api_key.c.expires_at < bindparam("before"))
            .limit(bindparam("batch", type_=sa.Integer))
        )
    ),
    scan=True,
)
SWEEP_REVOKED: Final = command(
    "api_keys.sweep_revoked",
    sa.delete(api_key).where(
        api_key.c.id.in_(
            sa.select(api_key.c.id)
            .where(api_key.c.revoked_at < bindparam("before"))
            .limit(bindparam("batch", type_=sa.Integer))
        )
    ),
    scan=True,
)
