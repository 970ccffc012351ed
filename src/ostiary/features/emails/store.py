"""Owns the table of addresses that accounts want to add, and its statements."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert

from ostiary.core.accounts.address import Address
from ostiary.core.kept.tables import of_table
from ostiary.storage.schema import metadata, moment, text
from ostiary.storage.statement import Query, command

email_wish: Final = sa.Table(
    "email_wish",
    metadata,
    text("account_id", sa.ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    text("normal", primary_key=True),
    text("shown"),
    moment("created_at"),
    moment("expires_at", index=True),
)
KEPT: Final = of_table(
    "waiting_emails", email_wish, ("shown", "created_at", "expires_at"), named={"shown": "value"}
)


@dataclass(frozen=True, slots=True)
class Wish:
    """An address that an account wants to add, and that waits for its proof."""

    normal: str
    shown: str
    created_at: int
    expires_at: int

    @property
    def address(self) -> Address:
        """The address."""
        return Address(self.normal, self.shown)


_is_this: Final = (
    email_wish.c.account_id == bindparam("of_account"),  # the actor is part of the lookup (L19)
    email_wish.c.normal == bindparam("of_normal"),
)

KEEP: Final = command(
    "emails.keep_wish",
    insert(email_wish)
    .values({c.name: bindparam(c.name) for c in email_wish.columns})
    .on_conflict_do_update(
        index_elements=[email_wish.c.account_id, email_wish.c.normal],
        set_={
            "shown": bindparam("shown", type_=sa.Text),
            "created_at": bindparam("created_at", type_=sa.BigInteger),
            "expires_at": bindparam("expires_at", type_=sa.BigInteger),
        },
    ),
)
LIVE: Final = Query(
    "emails.live_wishes",
    sa.select(email_wish.c.normal, email_wish.c.shown, email_wish.c.created_at, email_wish.c.expires_at)
    .where(email_wish.c.account_id == bindparam("account_id"), email_wish.c.expires_at > bindparam("now"))
    .order_by(email_wish.c.created_at, email_wish.c.normal),
    Wish,
)
TAKE: Final = command(
    "emails.take_wish",
    sa.delete(email_wish).where(*_is_this, email_wish.c.expires_at > bindparam("now")),
)
SWEEP: Final = command(
    "emails.sweep_wishes",
    sa.delete(email_wish).where(
        email_wish.c.expires_at < bindparam("now"),  # again outside: it may have been extended meanwhile
        sa.tuple_(email_wish.c.account_id, email_wish.c.normal).in_(
            sa.select(email_wish.c.account_id, email_wish.c.normal)
            .where(email_wish.c.expires_at < bindparam("now"))
            .limit(bindparam("batch", type_=sa.Integer))
        ),
    ),
    scan=True,
)
