"""Owns what is done with address claims: add, find, redeem, forget."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Final, Self

import orjson

from ostiary.core.accounts.address import Address
from ostiary.core.accounts.claims import store
from ostiary.core.accounts.claims.store import MOST_LIVE, Claim
from ostiary.core.accounts.store import Found
from ostiary.core.change import Change
from ostiary.core.device import describe_device
from ostiary.kernel.world import World, span_micros
from ostiary.storage.database import Reads, Transaction

__all__ = [
    "MOST_LIVE",
    "Claim",
    "Enclosed",
    "Waiting",
    "add",
    "find",
    "follow",
    "forget",
    "live",
    "nobodys",
    "sweep",
    "take",
]

# Longer than any link: who comes back after the weekend still gets a new mail.
LIFETIME: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Enclosed:
    """A credential that was made while registering; carried by `email_verified` when its registration is redeemed.

    Attributes:
        factor: Whose it is, by name.
        made: What that factor keeps of it, as it wrote it; nothing secret.
    """

    factor: str
    made: str

    def as_text(self) -> str:
        """As a claim keeps it."""
        return orjson.dumps([self.factor, self.made]).decode()

    @classmethod
    def of(cls, claim: Claim) -> Self | None:
        """What a claim encloses, if anything."""
        return cls(*orjson.loads(claim.enclosed)) if claim.enclosed else None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Carried by `registration_requested` for whoever proves addresses.

    Attributes:
        is_live: False when the address is taken: the same work is done, and no mail goes out.
    """

    claim: Claim
    is_live: bool


async def add(
    change: Change,
    address: Address,
    name: str,
    password_hash: str,
    counted: tuple[bytes, int] | None,
    locale: str,
    enclosed: Enclosed | None = None,
) -> Claim:
    """Keep a registration until its address is proven, or for a week.

    Args:
        password_hash: "" for a registration without a password.
        enclosed: What came in its place.
    """
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
        locale,
        enclosed.as_text() if enclosed else "",
    )
    await change.run(store.ADD, **asdict(claim), expires_at=change.micros + span_micros(LIFETIME))
    return claim


def nobodys(world: World, address: Address) -> Claim:
    """A claim that does not exist, for doing the same work where there is none."""
    return Claim(world.id(), address.normal, address.shown, "", "", "", "", "", 0, world.micros(), "", "")


async def live(reads: Reads, normal: str, now: int) -> list[Claim]:
    """The latest claims on an address that have not expired, newest first.

    Args:
        now: UTC microseconds.
    """
    return await reads.all(store.LIVE, normal=normal, now=now)


async def find(reads: Reads, address: Address | None, now: int) -> tuple[Found | None, str | None]:
    """Who has an address, and the password of the newest registration that waits under it; one query in any case.

    Args:
        address: None for what is no address.
        now: UTC microseconds.
    """
    row = await reads.one(store.FIND, normal=address.normal if address else "", now=now)
    if row is None:
        raise AssertionError("unreachable: the query has a row whatever there is")
    *columns, waiting = row
    return (None if columns[0] is None else Found(*columns)), waiting


async def forget(change: Change, account_id: str) -> None:
    """Forget what waits to be proven at the addresses of an account that goes: no link brings it back."""
    await change.run(store.FORGET, of_account=account_id)


async def take(change: Change, claim_id: str) -> Claim | None:
    """Redeem a claim, once. Others on its address stay until they expire; redeeming one of them comes to nothing."""
    return await change.one(store.TAKE, id=claim_id, now=change.micros)


async def follow(change: Change, account_id: str, old_hash: str, new_hash: str) -> None:
    """Let the registration that an account was made of follow a new hash: proving its address then keeps the password.

    Args:
        old_hash: Of the password that the account had so far.
    """
    await change.run(store.FOLLOW, of_account=account_id, old_hash=old_hash, new_hash=new_hash)


async def sweep(tx: Transaction, now: int, batch: int) -> int:
    """Remove expired claims, at most `batch`."""
    return await tx.run(store.SWEEP, now=now, batch=batch)
