"""Owns an account's e-mail addresses: listing, proving another one, choosing the primary one, removing one.

An address is an account's only once it is proven; what waits for its proof is kept by whoever asks for it.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import EMAIL_VERIFIED
from ostiary.core.accounts.address import Address
from ostiary.core.accounts.emails import store
from ostiary.core.change import Change
from ostiary.core.keys.ring import framed
from ostiary.kernel.events import EventType, Severity
from ostiary.kernel.world import from_micros
from ostiary.storage.database import Reads

ADDED: Final = EventType(
    "email_added",
    "The owner of an account proved another e-mail address; from now on it identifies the account.",
    Severity.NOTICE,
    ("email", "by"),
    tell_owner=True,
    at_every_address=True,
    words="The e-mail address {email} was added.",
)
REMOVED: Final = EventType(
    "email_removed",
    "An e-mail address was removed from an account.",
    Severity.NOTICE,
    ("email",),
    tell_owner=True,
    at_every_address=True,
    words="The e-mail address {email} was removed.",
)
PRIMARY_CHANGED: Final = EventType(
    "primary_email_changed",
    "Another of an account's proven addresses became the primary one.",
    Severity.NOTICE,
    ("email", "before"),
    tell_owner=True,
    at_every_address=True,
    words="The e-mail address {email} became the primary one.",
)
LOST: Final = EventType(
    "email_lost",
    "An address that an account never proved was proven by another account, and is that one's now.",
    Severity.NOTICE,
    words="An e-mail address that you had not confirmed was confirmed by somebody else, and is no longer yours.",
)
EVENTS: Final = (ADDED, REMOVED, PRIMARY_CHANGED, LOST)

_ID_LENGTH: Final = 32


@dataclass(frozen=True, slots=True)
class Email:
    """An address of an account.

    Attributes:
        id: Names it in routes; it says nothing to whoever does not know both account and address.
        verified_at: None while it is not proven; such an address is an account's only where `verify_email` is optional.
    """

    id: str
    address: Address
    is_primary: bool
    verified_at: datetime | None
    created_at: datetime

    @property
    def is_verified(self) -> bool:
        """Whether it is proven."""
        return self.verified_at is not None


def email_id(account_id: str, normal: str) -> str:
    """The id of an address of an account, the same before and after its proof."""
    return hashlib.sha256(framed("email", account_id, normal)).hexdigest()[:_ID_LENGTH]


async def emails_of(reads: Reads, account_id: str) -> list[Email]:
    """The addresses of an account, the primary one first."""
    return [
        Email(
            email_id(account_id, row.normal),
            Address(row.normal, row.shown),
            bool(row.is_primary),
            None if row.verified_at is None else from_micros(row.verified_at),
            from_micros(row.created_at),
        )
        for row in await reads.all(store.OF_ACCOUNT, account_id=account_id)
    ]


async def prove(change: Change, account_id: str, address: Address, by: str) -> bool:
    """Make an address the account's: whoever acts for the account has shown to read its mail.

    Its other addresses are told before this one is among them.

    Args:
        account_id: Its row is locked by this change.
        by: How it was shown, for the journal.

    Returns:
        False when somebody has proven the address before; nothing was changed then.
    """
    mine = await emails_of(change, account_id)
    own = next((email for email in mine if email.address.normal == address.normal), None)
    if own is not None:
        if not await accounts.prove_email(change, account_id, address):
            return False
        await change.emit(EMAIL_VERIFIED(account_id, by=by))
        return True
    await change.emit(ADDED(account_id, email=address.shown, by=by))
    lost_by = await change.one(store.RELEASE, of_normal=address.normal, of_account=account_id)
    added = await change.run(
        store.ADD_PROVEN,
        normal=address.normal,
        shown=address.shown,
        account_id=account_id,
        is_primary=int(not any(email.is_primary for email in mine)),
        now=change.micros,
    )
    if not added:
        return False
    if lost_by is not None:
        await change.emit(LOST(lost_by))
    return True


async def make_primary(change: Change, account_id: str, email: Email, before: Email | None) -> None:
    """Make a proven address the primary one; every proven address is told.

    Args:
        account_id: Its row is locked by this change.
        before: The primary one until now.
    """
    given = {"of_account": account_id, "of_normal": email.address.normal}
    await change.run(store.MAKE_OTHERS_SECONDARY, **given)
    await change.run(store.MAKE_PRIMARY, **given)
    was = before.address.shown if before else None
    await change.emit(PRIMARY_CHANGED(account_id, email=email.address.shown, before=was))


async def remove(change: Change, account_id: str, email: Email) -> None:
    """Remove an address that is not the primary one; every proven address is told, this one for the last time.

    Links that went there for the account are worthless from now on: whoever redeems one looks whose the address is.

    Args:
        account_id: Its row is locked by this change.
    """
    await change.emit(REMOVED(account_id, email=email.address.shown))
    await change.run(store.REMOVE, of_account=account_id, of_normal=email.address.normal)
