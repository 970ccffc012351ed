"""Owns what an account is, the gate through which it is loaded, and the changes of its state."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from ostiary.core.accounts import store
from ostiary.core.accounts.address import Address, find_email
from ostiary.core.change import Change
from ostiary.kernel.errors import Refused, code
from ostiary.kernel.events import Event, EventType, Severity
from ostiary.kernel.world import from_micros
from ostiary.storage.database import Conflict, Reads

EMAIL: Final = "email"

INVALID_CREDENTIALS: Final = code(
    "invalid_credentials",
    401,
    "The sign-in data are not right.",
    "Unknown account, wrong password or code, or an account that may not sign in: the answer is the same for all.",
)
EMAIL_NOT_VERIFIED: Final = code(
    "email_not_verified",
    403,
    "The e-mail address is not verified yet.",
    "The password was right, but the address must be proven first: use the link or code from the mail, or resend it.",
)
DISABLED: Final = EventType(
    "account_disabled",
    "An account was disabled; its sessions end.",
    Severity.WARNING,
    ("reason",),
    ends_sessions=True,
)
ENABLED: Final = EventType(
    "account_enabled", "A disabled account was enabled again.", Severity.NOTICE, ("reason",)
)
REGISTRATION: Final = EventType(
    "registration_requested",
    "Somebody registered an address: a new one, one not yet proven, or one that is taken.",
    fields=("outcome",),
)
EMAIL_VERIFIED: Final = EventType(
    "email_verified", "The owner of an account proved an e-mail address.", fields=("by",)
)
EVENTS: Final = (DISABLED, ENABLED, REGISTRATION, EMAIL_VERIFIED)


class Status(StrEnum):
    """The states of an account."""

    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class AddressClaim:
    """Carried by `registration_requested` for whoever proves addresses.

    Attributes:
        is_live: False when there is nothing to prove (the address is taken); the same work is done for nobody.
        counted: The hits of the network's limits, given back once the address is proven.
    """

    address: Address
    is_live: bool
    counted: tuple[tuple[bytes, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """An account as others see it.

    Attributes:
        id: Stable; hosts reference it as a foreign key.
        name: Display name; may be empty.
        email: The primary address, if there is one.
        is_email_verified: Whether its owner has proven that address.
        security_epoch: Raised when everything that was proven before shall count for nothing.
        created_at: When it was made.
    """

    id: str
    status: Status
    name: str
    email: str | None
    is_email_verified: bool
    security_epoch: int
    created_at: datetime

    @property
    def is_active(self) -> bool:
        """Whether it may be used at all."""
        return self.status is Status.ACTIVE


def from_row(row: store.AccountRow) -> Account:
    """The account behind a row."""
    return Account(
        row.id,
        Status(row.status),
        row.name,
        row.email,
        row.email_verified_at is not None,
        row.security_epoch,
        from_micros(row.created_at),
    )


async def load_active(reads: Reads, account_id: str, epoch: int | None = None) -> Account:
    """The one gate (L03): the account, if it exists, is active and nothing has raised its epoch since `epoch`.

    Raises:
        Refused: `invalid_credentials`; the private reason says which.
    """
    return _gate(await reads.one(store.LOAD, id=account_id), epoch)


async def lock_active(change: Change, account_id: str, epoch: int | None = None) -> Account:
    """The same gate inside a change, holding the account's row until the end.

    Raises:
        Refused: `invalid_credentials`.
    """
    return _gate(await change.one(store.LOCK, id=account_id), epoch)


def _gate(row: store.AccountRow | None, epoch: int | None) -> Account:
    if row is None:
        raise Refused(INVALID_CREDENTIALS, "no such account")
    account = from_row(row)
    if not account.is_active:
        raise Refused(INVALID_CREDENTIALS, f"account is {account.status}")
    if epoch is not None and account.security_epoch != epoch:
        raise Refused(INVALID_CREDENTIALS, "the account's security epoch has changed")
    return account


async def find(reads: Reads, typed: str) -> store.Found | None:
    """The account that an identifier names, whatever its state; one query whether or not there is one."""
    address = find_email(typed)
    return await reads.one(store.FIND, kind=EMAIL, normal=address.normal if address else "")


def canonical_subject(found: store.Found | None, typed: str) -> str:
    """What counters count: the account where there is one, else the normal form of what was typed (L09)."""
    if found is not None:
        return f"account:{found.account_id}"
    address = find_email(typed)
    return f"typed:{address.normal if address else typed.strip().casefold()}"


async def owner_of(reads: Reads, address: Address) -> tuple[str, bool] | None:
    """The account that has this address and whether it is proven; None when nobody has it."""
    row = await reads.one(store.OWNER, kind=EMAIL, normal=address.normal)
    return None if row is None else (row[0], row[1] is not None)


class Outcome(StrEnum):
    """What a registration met."""

    CREATED = "created"
    RENEWED = "renewed"
    KNOWN = "known"


async def register(change: Change, address: Address, name: str, password_hash: str) -> tuple[str, Outcome]:
    """Make an account for an address, unless somebody has proven it before.

    The same statements run in every case; what may not happen is ruled out inside them. An address that was
    registered but not proven takes the newest registration's password and name.

    Raises:
        Conflict: another registration of the same address was first; run the change again.
    """
    owner = await owner_of(change, address)
    account_id = owner[0] if owner else change.world.id()
    given = {"kind": EMAIL, "normal": address.normal, "now": change.micros}
    await change.run(store.ADD_UNLESS_KNOWN, id=account_id, name=name, **given)
    added = await change.run(store.ADD_IDENTIFIER, account_id=account_id, shown=address.shown, **given)
    if owner is None and not added:
        raise Conflict("address")
    await change.run(store.RENAME_UNVERIFIED, of_account=account_id, new_name=name, now=change.micros)
    await change.run(
        store.SET_PASSWORD_UNVERIFIED, account_id=account_id, hash=password_hash, now=change.micros
    )
    if owner is None:
        return account_id, Outcome.CREATED
    return account_id, Outcome.KNOWN if owner[1] else Outcome.RENEWED


async def rehash(change: Change, account_id: str, old_hash: str, new_hash: str) -> None:
    """Store a better hash of the same password, unless the password was changed meanwhile."""
    await change.run(store.REHASH, of_account=account_id, old_hash=old_hash, new_hash=new_hash)


async def verified_emails(reads: Reads, account_id: str) -> list[str]:
    """Every proven address, the primary one first."""
    return await reads.all(store.VERIFIED_EMAILS, account_id=account_id)


async def verify_email(change: Change, account_id: str, address: Address) -> bool:
    """Record that the owner proved this address; False when it was proven before."""
    return bool(
        await change.run(
            store.VERIFY, of_kind=EMAIL, of_normal=address.normal, of_account=account_id, now=change.micros
        )
    )


async def set_status(change: Change, account_id: str, status: Status, reason: str) -> None:
    """Disable or enable; either raises the epoch, so that nothing begun before goes on.

    Args:
        reason: For the journal.
    """
    await change.run(store.SET_STATUS, of_account=account_id, new_status=status.value, now=change.micros)
    event = DISABLED if status is Status.DISABLED else ENABLED
    await change.emit(event(account_id, reason=reason))


async def disable_password(change: Change, event: Event) -> None:
    """Reaction to `password_disabled`: from now on only a reset gives the account a password again."""
    await change.run(store.DISABLE_PASSWORD, of_account=event.account_id or "", now=change.micros)
