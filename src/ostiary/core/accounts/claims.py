"""Owns address claims: registrations that wait until somebody proves the address.

Each registration is a claim of its own, with the password and the name that came with it, and only its own link or
code makes them count (L10). So a stranger who registers somebody's address again can neither replace the password nor
spoil the link of who registered first. A claim on an address that is taken is kept as well and can never be redeemed:
then nothing that is answered later depends on whether the address was taken (L16).
"""

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.accounts.address import Address
from ostiary.core.change import Change
from ostiary.core.device import describe_device
from ostiary.kernel.world import World, span_micros
from ostiary.storage.database import Reads, Transaction
from ostiary.storage.schema import metadata, moment, text
from ostiary.storage.statement import Query, command

# Longer than any link: who comes back after the weekend still gets a new mail.
LIFETIME: Final = timedelta(days=7)
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
    sa.Index("ix_address_claim_normal_id", "normal", "id"),
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A registration that waits.

    Attributes:
        ip: Where it came from; told in the mail, so that somebody who finds two of them knows which is his own.
        device: From what.
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

    @property
    def address(self) -> Address:
        """The address that it is about."""
        return Address(self.normal, self.shown)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Carried by `registration_requested` for whoever proves addresses.

    Attributes:
        is_live: False when the address is taken: the same work is done, and no mail goes out.
    """

    claim: Claim
    is_live: bool


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
LOAD: Final = Query(
    "claims.load",
    sa.select(*_columns).where(
        address_claim.c.id == bindparam("id"), address_claim.c.expires_at > bindparam("now")
    ),
    Claim,
)
# All claims on an address go at once and in one order, so two that are redeemed together cannot wait for each other.
TAKE_ALL: Final = Query(
    "claims.take_all",
    sa.delete(address_claim)
    .where(address_claim.c.normal == bindparam("normal"))
    .returning(address_claim.c.id),
    str,
)
EXTEND: Final = command(
    "claims.extend",
    sa.update(address_claim)
    .where(address_claim.c.id == bindparam("of_id"))
    .values(expires_at=bindparam("until")),
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


async def add(
    change: Change, address: Address, name: str, password_hash: str, counted: tuple[bytes, int] | None
) -> Claim:
    """Keep a registration until its address is proven, or for a week."""
    key, stamp = counted or (b"", 0)
    claim = Claim(
        change.world.id(),
        address.normal,
        address.shown,
        name,
        password_hash,
        change.origin.ip,
        describe_device(change.origin.user_agent),
        key.decode(),
        stamp,
        change.micros,
    )
    await change.run(ADD, **asdict(claim), expires_at=change.micros + span_micros(LIFETIME))
    return claim


def nobodys(world: World, address: Address) -> Claim:
    """A claim that does not exist, for doing the same work where there is none."""
    return Claim(world.id(), address.normal, address.shown, "", "", "", "", "", 0, world.micros())


async def live(reads: Reads, normal: str, now: int) -> list[Claim]:
    """The latest claims on an address that have not expired, newest first.

    Args:
        now: UTC microseconds.
    """
    return await reads.all(LIVE, normal=normal, now=now)


async def extend(change: Change, claim_id: str) -> None:
    """Let a claim wait for another week: its mail was asked for again."""
    await change.run(EXTEND, of_id=claim_id, until=change.micros + span_micros(LIFETIME))


async def take(change: Change, claim_id: str) -> Claim | None:
    """Redeem a claim and forget every other one on its address: it counts once, and only one of them does."""
    claim = await change.one(LOAD, id=claim_id, now=change.micros)
    if claim is None or claim.id not in await change.all(TAKE_ALL, normal=claim.normal):
        return None
    return claim


async def sweep(tx: Transaction, now: int, batch: int) -> int:
    """Remove expired claims, at most `batch`."""
    return await tx.run(SWEEP, now=now, batch=batch)
