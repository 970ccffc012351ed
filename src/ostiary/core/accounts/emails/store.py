"""Owns the statements about an account's e-mail addresses; the account is part of every one of them (L19)."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert

from ostiary.core.accounts.store import identifier
from ostiary.storage.statement import Query, command


@dataclass(frozen=True, slots=True)
class EmailRow:
    """An address of an account."""

    normal: str
    shown: str
    is_primary: int
    verified_at: int | None
    created_at: int


_is_email: Final = identifier.c.kind == "email"
_is_this: Final = identifier.c.normal == bindparam("of_normal")
_is_mine: Final = identifier.c.account_id == bindparam("of_account")

OF_ACCOUNT: Final = Query(
    "emails.of_account",
    sa.select(
        identifier.c.normal,
        identifier.c.shown,
        identifier.c.is_primary,
        identifier.c.verified_at,
        identifier.c.created_at,
    )
    .where(identifier.c.account_id == bindparam("account_id"), _is_email)
    .order_by(identifier.c.is_primary.desc(), identifier.c.created_at, identifier.c.normal),
    EmailRow,
)
# Of two accounts that prove one address at the same moment one adds it, and the other adds nothing.
ADD_PROVEN: Final = command(
    "emails.add_proven",
    insert(identifier)
    .values(
        kind="email",
        normal=bindparam("normal"),
        shown=bindparam("shown"),
        account_id=bindparam("account_id"),
        is_primary=bindparam("is_primary"),
        verified_at=bindparam("now"),
        created_at=bindparam("now"),
    )
    .on_conflict_do_nothing(),
)
# An address that nobody has proven belongs to nobody: whoever proves it takes it from whoever typed it first.
RELEASE: Final = Query(
    "emails.release",
    sa.delete(identifier)
    .where(
        _is_email,
        _is_this,
        identifier.c.account_id != bindparam("of_account"),
        identifier.c.verified_at.is_(None),
    )
    .returning(identifier.c.account_id),
    str,
)
MAKE_PRIMARY: Final = command(
    "emails.make_primary",
    sa.update(identifier)
    .where(_is_mine, _is_email, _is_this, identifier.c.verified_at.is_not(None))
    .values(is_primary=1),
)
MAKE_OTHERS_SECONDARY: Final = command(
    "emails.make_others_secondary",
    sa.update(identifier)
    .where(_is_mine, _is_email, identifier.c.normal != bindparam("of_normal"), identifier.c.is_primary == 1)
    .values(is_primary=0),
)
REMOVE: Final = command(
    "emails.remove", sa.delete(identifier).where(_is_mine, _is_email, _is_this, identifier.c.is_primary == 0)
)
