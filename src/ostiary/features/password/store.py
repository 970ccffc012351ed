"""Owns the table of earlier passwords, and what is read about an address when somebody forgot one."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.accounts.store import account, identifier, password
from ostiary.core.kept.tables import of_table
from ostiary.storage.schema import metadata, moment, text
from ostiary.storage.statement import Query, command

password_history: Final = sa.Table(
    "password_history",
    metadata,
    text("id", primary_key=True),  # ordered by time
    text("account_id", sa.ForeignKey("account.id", ondelete="CASCADE")),
    # Keyed like every stored password: a pepper key that one of them names is still needed.
    text("hash"),
    moment("retired_at"),
    sa.Index("ix_password_history_account_id_id", "account_id", "id"),
)
KEPT: Final = of_table("earlier_passwords", password_history, ("retired_at",))


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """Who has an address, and what there is to know before a link goes to it.

    Attributes:
        shown: The spelling that mails go to.
        verified_at: When this address was proven.
        has_proven: Whether any address of the account is.
        locale: Which language the owner reads; "" if that is not known.
    """

    account_id: str
    status: str
    security_epoch: int
    name: str
    shown: str
    verified_at: int | None
    has_proven: int
    locale: str = ""


_proven = identifier.alias("proven")
OWNER: Final = Query(
    "password.owner",
    sa.select(
        account.c.id,
        account.c.status,
        account.c.security_epoch,
        account.c.name,
        identifier.c.shown,
        identifier.c.verified_at,
        sa.select(sa.func.count())
        .select_from(_proven)
        .where(_proven.c.account_id == account.c.id, _proven.c.verified_at.is_not(None))
        .scalar_subquery(),
        sa.func.coalesce(account.c.locale, ""),
    )
    .select_from(identifier.join(account, account.c.id == identifier.c.account_id))
    .where(identifier.c.kind == bindparam("kind"), identifier.c.normal == bindparam("normal")),
    OwnerRow,
)
EARLIER: Final = Query(
    "password.earlier",
    sa.select(password_history.c.hash)
    .where(password_history.c.account_id == bindparam("account_id"))
    .order_by(password_history.c.id.desc())
    .limit(bindparam("limit", type_=sa.Integer)),
    str,
)
RETIRE: Final = command(
    "password.retire",
    sa.insert(password_history).from_select(
        ["id", "account_id", "hash", "retired_at"],
        sa.select(
            bindparam("id", type_=sa.Text),
            password.c.account_id,
            password.c.hash,
            bindparam("now", type_=sa.BigInteger),
        ).where(password.c.account_id == bindparam("of_account")),
    ),
)
PRUNE: Final = command(
    "password.prune",
    sa.delete(password_history).where(
        password_history.c.account_id == bindparam("of_account"),
        password_history.c.id.not_in(
            sa.select(password_history.c.id)
            .where(password_history.c.account_id == bindparam("of_account"))
            .order_by(password_history.c.id.desc())
            .limit(bindparam("keep", type_=sa.Integer))
        ),
    ),
)
