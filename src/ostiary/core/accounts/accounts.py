"""Owns what an account is, the gate through which it is loaded, and the changes of its state."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from ostiary.core.accounts import store
from ostiary.core.accounts.address import Address, find_email
from ostiary.core.accounts.claims import claims
from ostiary.core.accounts.claims.claims import Claim, Enclosed
from ostiary.core.change import Change
from ostiary.kernel.errors import Refused, code
from ostiary.kernel.events import Event, EventType, Severity
from ostiary.kernel.world import from_micros
from ostiary.storage.database import Conflict, Reads

EMAIL: Final = "email"
SERVICE: Final = "service"

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
    words="Your account was disabled.",
)
ENABLED: Final = EventType(
    "account_enabled",
    "A disabled account was enabled again.",
    Severity.NOTICE,
    ("reason",),
    words="Your account was enabled again.",
)
REGISTRATION: Final = EventType(
    "registration_requested",
    "Somebody registered an address; `outcome`: claimed (it must be proven now) or taken (its owner is told).",
    fields=("outcome",),
    words="Somebody tried to sign up with an address of yours.",
)
EMAIL_VERIFIED: Final = EventType(
    "email_verified",
    "The owner of an account proved an e-mail address.",
    fields=("by",),
    words="An e-mail address was confirmed by {by}.",
)
CREDENTIALS_VOIDED: Final = EventType(
    "credentials_voided",
    "Somebody else than who set an account up proved its mailbox: what was set up before counts for nothing.",
    Severity.WARNING,
    ends_sessions=True,
    words="What was set up before your address was confirmed counts no more.",
)
EVENTS: Final = (DISABLED, ENABLED, REGISTRATION, EMAIL_VERIFIED, CREDENTIALS_VOIDED)


class Status(StrEnum):
    """The states of an account."""

    ACTIVE = "active"
    DISABLED = "disabled"


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
        deletion_due_at: When it will be deleted, as `lock` has found it; None otherwise.
        is_service: It is a program's and nobody's: it cannot sign in, and acts by API keys alone.
    """

    id: str
    status: Status
    name: str
    email: str | None
    is_email_verified: bool
    security_epoch: int
    created_at: datetime
    deletion_due_at: datetime | None = None
    is_service: bool = False

    @property
    def is_active(self) -> bool:
        """Whether it may be used at all."""
        return self.status is Status.ACTIVE

    @property
    def label(self) -> str:
        """What apps and devices call it: the address, where there is one."""
        return self.email or self.name or self.id


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
        None if row.deletion_due_at is None else from_micros(row.deletion_due_at),
        row.kind == SERVICE,
    )


def why_barred(account: Account, epoch: int | None, *, may_be_service: bool = False) -> str:
    """The one gate (L03): "" for an active account whose epoch nothing has raised since `epoch`, else the reason.

    Args:
        may_be_service: For API keys alone; whatever signs in is for people.
    """
    if account.is_service and not may_be_service:
        return "account is a service's"
    if not account.is_active:
        return f"account is {account.status}"
    if epoch is not None and account.security_epoch != epoch:
        return "the account's security epoch has changed"
    return ""


async def lock(change: Change, account_id: str) -> Account | None:
    """An account in whatever state, holding its row until the end of the change; None when there is none."""
    row = await change.one(store.LOCK, id=account_id)
    return None if row is None else from_row(row)


async def lock_active(change: Change, account_id: str, epoch: int | None = None) -> Account:
    """The gate inside a change, holding the account's row until the end.

    Raises:
        Refused: `invalid_credentials`; the private reason says which.
    """
    account = await lock(change, account_id)
    if account is None:
        raise Refused(INVALID_CREDENTIALS, "no such account")
    if reason := why_barred(account, epoch):
        raise Refused(INVALID_CREDENTIALS, reason)
    return account


async def find(reads: Reads, typed: str) -> store.Found | None:
    """The account that an identifier names, whatever its state; one query whether or not there is one."""
    return await find_at(reads, find_email(typed))


async def find_at(reads: Reads, address: Address | None) -> store.Found | None:
    """The same for an address that was read already; None for what is no address."""
    return await reads.one(store.FIND, kind=EMAIL, normal=address.normal if address else "")


def subject_of(account_id: str) -> str:
    """What counters count of an account that is known."""
    return f"account:{account_id}"


def canonical_subject(found: store.Found | None, typed: str, address: Address | None) -> str:
    """What counters count: the account where there is one, else the normal form of what was typed (L09)."""
    if found is not None:
        return subject_of(found.account_id)
    return f"typed:{address.normal if address else typed.strip().casefold()}"


async def owner_of(reads: Reads, address: Address) -> store.OwnerRow | None:
    """Who has this address; None when nobody has."""
    return await reads.one(store.OWNER, kind=EMAIL, normal=address.normal)


async def create_unless_known(
    change: Change, address: Address, name: str, password_hash: str, locale: str = ""
) -> str:
    """Make an account with an unproven address, unless somebody has that address.

    The same statements run in both cases; what may not happen is ruled out inside them.

    Args:
        password_hash: "" for an account without a password.
        locale: In which language its owner reads mails; "" if that is not known.

    Returns:
        The account that has the address now.

    Raises:
        Conflict: somebody else was first; run the change again.
    """
    owner = await owner_of(change, address)
    # A fresh id in either case: with the owner's, a password would be added to an account that has none.
    fresh = change.world.id()
    given = {"kind": EMAIL, "normal": address.normal, "now": change.micros}
    await change.run(store.ADD_UNLESS_KNOWN, id=fresh, name=name, locale=locale or None, **given)
    added = await change.run(store.ADD_IDENTIFIER, account_id=fresh, shown=address.shown, **given)
    if owner is None and not added:
        raise Conflict("address")
    await change.run(store.ADD_PASSWORD, account_id=fresh, hash=password_hash, now=change.micros)
    return owner.account_id if owner else fresh


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A registration that counts.

    Attributes:
        account_id: The account that has its address now, proven.
        enclosed: The credential that came with it, if one did and it is the account's; to be carried by
            `email_verified`.
    """

    account_id: str
    enclosed: Enclosed | None


async def redeem(change: Change, claim: Claim) -> Redeemed | None:
    """Let a claim count: somebody has proven its address.

    Returns:
        None when the address was proven before, so that the claim is void.

    Raises:
        Refused: `invalid_credentials`; the account may not be used.
        Conflict: another claim on the address was first; run the change again.
    """
    owner = await owner_of(change, claim.address)
    if owner is not None and owner.verified_at is not None:
        return None
    account_id = await create_unless_known(
        change, claim.address, claim.name, claim.password_hash, claim.locale
    )
    await lock_active(change, account_id)
    if owner is not None and owner.password_hash != claim.password_hash:
        # Two registrations, one mailbox, and no telling whose the account is: what came with either counts for nothing.
        # Who reads the mailbox sets a password by a reset.
        await void_credentials(change, account_id)
    if not await prove_email(change, account_id, claim.address):
        return None
    return Redeemed(account_id, Enclosed.of(claim) if owner is None else None)


async def prove_email(change: Change, account_id: str, address: Address) -> bool:
    """Note that an account's address is proven, in the spelling in which it was; False when it was proven before."""
    proven = await change.run(
        store.VERIFY,
        of_kind=EMAIL,
        of_normal=address.normal,
        of_account=account_id,
        new_shown=address.shown,
        now=change.micros,
    )
    return bool(proven)


async def void_credentials(change: Change, account_id: str) -> None:
    """Let nothing count that was set up before the mailbox was proven, by whomever (L10).

    Ribs that keep credentials of their own (factors, keys, linked identities) remove theirs in reaction to the event.
    """
    await change.run(store.RAISE_EPOCH, of_account=account_id, now=change.micros)
    await change.run(store.DROP_PASSWORD, of_account=account_id)
    await change.emit(CREDENTIALS_VOIDED(account_id))


async def raise_authorization_version(change: Change, account_id: str) -> int:
    """Note that what the account may do has changed; tokens that name an older version are stale.

    Returns:
        The new version.
    """
    return await change.one(store.RAISE_VERSION, of_account=account_id) or 0


async def password_of(reads: Reads, account_id: str) -> store.PasswordRow | None:
    """An account's password as it is now; None when it has none."""
    return await reads.one(store.PASSWORD, account_id=account_id)


async def set_password(change: Change, account: Account, hash_: str) -> Account:
    """Give an account that this change has locked a password, in place of any that it has; a disabled one works again.

    Whatever was begun or proven before counts for nothing from now on: the epoch is raised.

    Returns:
        The account as it is now.
    """
    old = await password_of(change, account.id)
    if old is not None:
        await claims.follow(change, account.id, old.hash, hash_)
    await change.run(store.SET_PASSWORD, account_id=account.id, hash=hash_, now=change.micros)
    await change.run(store.RAISE_EPOCH, of_account=account.id, now=change.micros)
    return replace(account, security_epoch=account.security_epoch + 1)


async def may_use_password(change: Change, account_id: str, *, ignores_disabling: bool) -> bool:
    """Whether an account that was locked at the epoch of the check still has that password, and may use it.

    Its hash may be another one by now: a sign-in at the same moment has hashed it anew. A new password would have
    raised the epoch.
    """
    row = await password_of(change, account_id)
    return row is not None and (ignores_disabling or row.disabled_at is None)


async def rehash(change: Change, account_id: str, old_hash: str, new_hash: str) -> None:
    """Store a better hash of the same password, unless the password was changed meanwhile."""
    if await change.run(store.REHASH, of_account=account_id, old_hash=old_hash, new_hash=new_hash):
        await claims.follow(change, account_id, old_hash, new_hash)


async def recipients(reads: Reads, account_id: str) -> list[store.Recipient]:
    """Every proven address with its owner's language, the primary one first."""
    return await reads.all(store.RECIPIENTS, account_id=account_id)


async def set_status(change: Change, account_id: str, status: Status, reason: str) -> None:
    """Disable or enable; either raises the epoch, so that nothing begun before goes on.

    Args:
        reason: For the journal.
    """
    await change.run(store.SET_STATUS, of_account=account_id, new_status=status.value, now=change.micros)
    event = DISABLED if status is Status.DISABLED else ENABLED
    await change.emit(event(account_id, reason=reason))


async def disable_password(change: Change, event: Event) -> None:
    """Reaction to what shuts the password: from now on only a reset gives the account one again."""
    await change.run(store.DISABLE_PASSWORD, of_account=event.account_id or "", now=change.micros)


async def enable_password(change: Change, account_id: str) -> None:
    """Let the password work again that `disable_password` shut."""
    await change.run(store.ENABLE_PASSWORD, of_account=account_id)
