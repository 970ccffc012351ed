"""Owns the table of address claims and its statements."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.accounts.address import Address
from ostiary.core.accounts.store import account, found_columns, identifier, password
from ostiary.storage.schema import metadata, moment, text
from ostiary.storage.statement import Query, command

MOST_LIVE: Final = 3

address_claim: Final = sa.Table(
    "address_claim",
    metadata,
    text("id", primary_key=True),  # ordered by time
    text("normal"),
    text("shown"),
    text("name"),
    text("password_hash"),
    text("ip"),
    text("device"),
    text("counted_key"),
    moment("counted_stamp"),
    moment("created_at"),
    moment("expires_at", index=True),
    text("locale", nullable=True),
    text("enclosed", nullable=True),  # JSON: a credential that was made while registering
    sa.Index("ix_address_claim_normal_id", "normal", "id"),
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A registration that waits.

    Attributes:
        ip: Where it came from; told in the mail, so that somebody who finds two of them knows which is his own.
        device: From what.
        password_hash: "" for a registration without a password.
        locale: In which language the mail is, and later those to the account; "" for none in particular.
        enclosed: The credential that came in place of a password, as `Enclosed` writes it; "" for none.
        counted_key: Together with `counted_stamp` the hit of the network's limit, given back when it is redeemed; ""
            for none.
    """

    id: str
    normal: str
    shown: str
    name: str
    password_hash: str
    ip: str
    device: str
    counted_key: str
    counted_stamp: int
    created_at: int
    locale: str
    enclosed: str

    @property
    def address(self) -> Address:
        """The address that it is about."""
        return Address(self.normal, self.shown)


_columns = (
    address_claim.c.id,
    address_claim.c.normal,
    address_claim.c.shown,
    address_claim.c.name,
    address_claim.c.password_hash,
    address_claim.c.ip,
    address_claim.c.device,
    address_claim.c.counted_key,
    address_claim.c.counted_stamp,
    address_claim.c.created_at,
    sa.func.coalesce(address_claim.c.locale, ""),
    sa.func.coalesce(address_claim.c.enclosed, ""),
)
ADD: Final = command(
    "claims.add", sa.insert(address_claim).values({c.name: bindparam(c.name) for c in address_claim.columns})
)
LIVE: Final = Query(
    "claims.live",
    sa.select(*_columns)
    .where(address_claim.c.normal == bindparam("normal"), address_claim.c.expires_at > bindparam("now"))
    .order_by(address_claim.c.id.desc())
    .limit(MOST_LIVE),
    Claim,
)
# Who has an address and what waits to be proven under it, in one row whether or not there is anything: signing in asks.
_one_row: Final = sa.select(sa.literal(1, sa.Integer).label("n")).subquery("one_row")
_newest: Final = (
    sa.select(address_claim.c.password_hash)
    .where(
        address_claim.c.normal == bindparam("normal"),
        address_claim.c.expires_at > bindparam("now"),
        address_claim.c.password_hash != sa.literal("", sa.Text),
    )
    .order_by(address_claim.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
FIND: Final = Query(
    "claims.find",
    sa.select(*found_columns, _newest).select_from(
        _one_row.outerjoin(
            identifier,
            sa.and_(identifier.c.kind == "email", identifier.c.normal == bindparam("normal")),
        )
        .outerjoin(account, account.c.id == identifier.c.account_id)
        .outerjoin(password, password.c.account_id == account.c.id)
    ),
    lambda *columns: columns,
)
FORGET: Final = command(
    "claims.forget",
    sa.delete(address_claim).where(
        address_claim.c.normal.in_(
            sa.select(identifier.c.normal).where(identifier.c.account_id == bindparam("of_account"))
        )
    ),
)
TAKE: Final = Query(
    "claims.take",
    sa.delete(address_claim)
    .where(address_claim.c.id == bindparam("id"), address_claim.c.expires_at > bindparam("now"))
    .returning(*_columns),
    Claim,
)
# The registration that an account was made of has the same hash, salt and all, and no other one has.
FOLLOW: Final = command(
    "claims.follow",
    sa.update(address_claim)
    .where(
        address_claim.c.normal.in_(
            sa.select(identifier.c.normal).where(
                identifier.c.account_id == bindparam("of_account"), identifier.c.kind == "email"
            )
        ),
        address_claim.c.password_hash == bindparam("old_hash"),
    )
    .values(password_hash=bindparam("new_hash")),
)
SWEEP: Final = command(
    "claims.sweep",
    sa.delete(address_claim).where(
        address_claim.c.expires_at < bindparam("now"),  # again outside: it may have been extended meanwhile
        address_claim.c.id.in_(
            sa.select(address_claim.c.id)
            .where(address_claim.c.expires_at < bindparam("now"))
            .limit(bindparam("batch", type_=sa.Integer))
        ),
    ),
    scan=True,
)
