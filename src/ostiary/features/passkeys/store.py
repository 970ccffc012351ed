"""Owns the table of passkeys. Public keys are no secrets; nothing in a row opens anything."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert

from ostiary.core.accounts.store import account
from ostiary.core.kept.tables import of_table
from ostiary.storage.schema import blob, flag, metadata, moment, number, text
from ostiary.storage.statement import Query, command

passkey: Final = sa.Table(
    "passkey",
    metadata,
    text("id", primary_key=True),
    text("account_id", sa.ForeignKey("account.id", ondelete="CASCADE")),
    text("credential_id", unique=True),  # base64url, as authenticators answer with it
    blob("user_handle"),  # random, the same for all of an account; the authenticator knows the account by it
    blob("public_key"),  # COSE
    number("algorithm"),
    number("sign_count"),
    text("aaguid"),
    text("transports"),  # JSON
    text("name"),
    flag("is_verifying"),  # its owner was verified when it was added, or in addition to another factor since
    flag("is_syncable"),  # BE
    flag("is_synced"),  # BS, as of the last use
    moment("created_at"),
    moment("last_used_at", nullable=True),
    sa.Index("ix_passkey_account_id", "account_id"),
)
KEPT: Final = of_table(
    "passkeys",
    passkey,
    ("id", "name", "aaguid", "is_syncable", "is_synced", "created_at", "last_used_at"),
    named={"is_syncable": "may_be_synced", "is_synced": "synced"},
)


@dataclass(frozen=True, slots=True)
class PasskeyRow:
    """A passkey."""

    id: str
    account_id: str
    credential_id: str
    user_handle: bytes
    public_key: bytes
    sign_count: int
    aaguid: str
    transports: str
    name: str
    is_verifying: int
    is_syncable: int
    is_synced: int
    created_at: int
    last_used_at: int | None


_columns = (
    passkey.c.id,
    passkey.c.account_id,
    passkey.c.credential_id,
    passkey.c.user_handle,
    passkey.c.public_key,
    passkey.c.sign_count,
    passkey.c.aaguid,
    passkey.c.transports,
    passkey.c.name,
    passkey.c.is_verifying,
    passkey.c.is_syncable,
    passkey.c.is_synced,
    passkey.c.created_at,
    passkey.c.last_used_at,
)
_of_account = passkey.c.account_id == bindparam("of_account")  # the actor is part of every lookup (L19)
_is_it = sa.and_(passkey.c.id == bindparam("of_id"), _of_account)
_count = bindparam("count", type_=sa.BigInteger)


def _found(epoch: int, *columns: object) -> tuple[PasskeyRow, int]:
    return PasskeyRow(*columns), epoch  # type: ignore[arg-type]  # in the order of `_columns`


# The one lookup without an actor: the credential's id says who it is, and the signature proves it.
FIND: Final = Query(
    "passkeys.find",
    sa.select(account.c.security_epoch, *_columns)
    .join_from(passkey, account, account.c.id == passkey.c.account_id)
    .where(passkey.c.credential_id == bindparam("credential_id")),
    _found,
)
OF_ACCOUNT: Final = Query(
    "passkeys.of_account",
    sa.select(*_columns).where(_of_account).order_by(passkey.c.created_at, passkey.c.id),
    PasskeyRow,
)
ANY: Final = Query("passkeys.any", sa.select(passkey.c.id).where(_of_account).limit(1), str)
# A credential that is anybody's already stays theirs (WebAuthn section 7.1 step 26).
ADD: Final = command(
    "passkeys.add",
    insert(passkey)
    .values({column.name: bindparam(column.name) for column in passkey.columns})
    .on_conflict_do_nothing(),
)
# Guarded by the counter: of two uses at the same time the later one must say more. `any_count` is for who only reports.
USE: Final = command(
    "passkeys.use",
    sa.update(passkey)
    .where(
        _is_it,
        sa.or_(
            _count > passkey.c.sign_count,
            sa.and_(_count == 0, passkey.c.sign_count == 0),
            bindparam("any_count", type_=sa.Integer) == 1,
        ),
    )
    .values(
        sign_count=_count,
        is_synced=bindparam("synced", type_=sa.Integer),
        is_verifying=sa.case(
            (passkey.c.is_verifying == 1, 1), else_=bindparam("verifying", type_=sa.Integer)
        ),
        last_used_at=bindparam("now", type_=sa.BigInteger),
    ),
)
# From now on only beside another proof, until one of these has believed it again (`USE`).
DEMOTE: Final = command("passkeys.demote", sa.update(passkey).where(_of_account).values(is_verifying=0))
RENAME: Final = Query(
    "passkeys.rename",
    sa.update(passkey).where(_is_it).values(name=bindparam("new_name")).returning(*_columns),
    PasskeyRow,
)
REMOVE: Final = Query("passkeys.remove", sa.delete(passkey).where(_is_it).returning(*_columns), PasskeyRow)
REMOVE_ALL: Final = Query(
    "passkeys.remove_all", sa.delete(passkey).where(_of_account).returning(passkey.c.id), str
)
