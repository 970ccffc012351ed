"""Owns what ribs provide to the door: ways in, factors, and the proofs that both yield."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol, runtime_checkable

from ostiary.core.accounts.accounts import Account
from ostiary.core.accounts.address import Address
from ostiary.core.change import Change
from ostiary.kernel.errors import Refused, code
from ostiary.kernel.secret import Secret
from ostiary.storage.database import Reads

NOTHING_TO_ASK: Final = code(
    "nothing_to_ask",
    400,
    "This factor needs no challenge.",
    "The factor is answered without asking for anything first, or it is not one that this sign-in can use.",
)


@dataclass(frozen=True, slots=True)
class Proof:
    """Something that was shown about an account.

    Attributes:
        method: RFC 8176 value ("pwd", "otp", …).
        at: When.
        by: Name of the way in or factor that yielded it; the same one never counts twice.
        is_multi_factor: It shows possession and knowledge at once (a passkey with user verification).
        mailbox: The address that it proves, where it does; a factor by the same mailbox adds nothing.
        is_breached: It is a password that is known from a breach.
    """

    method: str
    at: datetime
    by: str
    is_multi_factor: bool = False
    mailbox: str | None = None
    is_breached: bool = False


Take = Callable[[Change], Awaitable[bool]]
# Stores spares that were made before, unless others were stored meanwhile, and says what to show their owner once.
Issue = Callable[[Change], Awaitable[tuple[Secret, ...]]]


@dataclass(frozen=True, slots=True)
class Proven:
    """A proof with what must be written when it is used.

    Attributes:
        take: Runs in the change that uses the proof (consume a single-use secret, store a better hash);
            False means that somebody else was first, and the proof is worth nothing.
        alters_account: Taking it changes the account itself (the first proof of a mailbox); the decision is made on
            what it is then.
        spares: To be issued when the sign-in completes, for an account that has none.
    """

    proof: Proof
    take: Take | None = None
    alters_account: bool = False
    spares: tuple[Issue, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """Whom a submission claims to be, before anything is proven.

    Attributes:
        subject: What counters count: canonical, and the same whether or not the account exists (L09).
        account_id: None when there is no such account; proving then does the same work and yields nothing.
        security_epoch: As read; the change refuses another one.
        carried: What the way in needs again in `prove`.
        is_known_browser: The try comes from a browser that signed in to this account before.
    """

    subject: str
    account_id: str | None
    security_epoch: int = 0
    carried: Any = None
    is_known_browser: bool = False


class WayIn(Protocol):
    """A way to begin signing in: a password, a link, a passkey, somebody else's identity provider.

    Attributes:
        name: Shown in the journal and on the account page.
    """

    name: str

    async def identify(self, reads: Reads, submission: Any) -> Candidate:
        """Whom the submission claims to be; by the same statements whether or not there is such an account."""
        ...

    async def prove(self, reads: Reads, candidate: Candidate, submission: Any) -> Proven | None:
        """The proof, or None. May hash or call out: no transaction is open."""
        ...


@dataclass(frozen=True, slots=True)
class Enrolled:
    """One thing that an account has enrolled, as its owner sees it.

    Attributes:
        factor: Name of the factor that it belongs to.
        id: Its own; "" for a factor that an account has once.
        name: Given by the owner; may be empty.
        last_used_at: None when it was never used.
        remaining: How often it still works, where that is limited.
        about: What else its owner should know of it: "synced", "bound to one device".
    """

    factor: str
    id: str
    name: str
    created_at: datetime
    last_used_at: datetime | None
    remaining: int | None = None
    about: str = ""


class Factor(Protocol):
    """Something that can be asked for after a way in.

    Attributes:
        name: As in the `factors` of the API: "totp", "backup_code", …
        label: How the page asks for it: "Code from your authenticator app".
        is_digits: Its answer is six digits.
        asks: What must be asked for before there is an answer, as the words of a button: "Mail me a code". "" for
            what people have with them.
        proves_mailbox: It is worth nothing after another proof by a mailbox.
        is_ceremony: The browser answers it, by what `challenge` returns; there is nothing to type.
    """

    name: str
    label: str
    is_digits: bool
    asks: str = ""
    proves_mailbox: bool = False
    is_ceremony: bool = False

    async def is_enrolled(self, reads: Reads, account_id: str) -> bool:
        """Whether this account can be asked for it."""
        ...

    async def challenge(self, change: Change, account: Account, attempt_id: str) -> Mapping[str, Any]:
        """Make what will be answered, for one sign-in alone: send a code, draw a challenge.

        Returns:
            What the client needs for its answer; nothing secret.
        """
        raise Refused(NOTHING_TO_ASK, "this factor has no challenge", counted=False)

    async def prove(self, reads: Reads, account_id: str, answer: Secret, attempt_id: str) -> Proven | None:
        """The proof, or None; an empty answer is a failure like any other (L02).

        Args:
            attempt_id: The sign-in that asks, which a challenge was made for.
        """
        ...

    async def listing(self, reads: Reads, account_id: str) -> list[Enrolled]:
        """What this account has enrolled of it, oldest first."""
        ...

    async def remove_all(self, change: Change, account_id: str) -> bool:
        """Remove everything of it from an account; whether there was anything that counted."""
        ...


# What is shown to who adds a factor: secrets, and what is none.
Showing = Mapping[str, Secret | Mapping[str, Any]]


@runtime_checkable
class Enrollable(Protocol):
    """A factor that can be added at the door. Nothing is stored before an answer shows that its owner has it.

    Attributes:
        adding: The words of the button that begins: "Set up an authenticator app".
        how: What its owner does with what is shown.
    """

    adding: str
    how: str

    def draw(self) -> str:
        """Make what its owner will have; it travels in the sealed attempt."""
        ...

    def show(self, drawn: str, label: str) -> Showing:
        """What its owner needs, by name; a QR code is called `qr_svg`, what a ceremony begins with `options`.

        Nothing when it cannot be answered any more.

        Args:
            label: What the account is called.
        """
        ...

    def confirm(self, account_id: str, drawn: str, answer: Secret) -> Proven | None:
        """The proof, or None. Taking it stores the factor; the account has none of its own by then.

        Raises:
            Refused: `invalid_credentials`, with the reason for the journal.
        """
        ...


@dataclass(frozen=True, slots=True)
class Made:
    """A factor that somebody has made while registering.

    Attributes:
        kept: What the registration keeps of it until it is redeemed; nothing secret.
        take: Runs in the change that keeps it. Raises `Refused` when it was used before or is somebody's already.
    """

    kept: str
    take: Callable[[Change], Awaitable[None]]


@runtime_checkable
class Joinable(Protocol):
    """A factor that can be made while registering, in place of a password: alone it signs in."""

    def invite(self, browser: str, address: Address) -> Mapping[str, Any]:
        """What the browser needs to make one; the same for every address, and nothing is stored.

        Args:
            browser: The cookie that it is bound to.
            address: What is being registered.
        """
        ...

    def receive(self, browser: str, address: Address, answer: Secret) -> Made:
        """Judge what was made.

        Raises:
            Refused: It does not belong to what was asked for, or cannot sign in alone.
        """
        ...

    async def join(self, change: Change, account_id: str, kept: str) -> str:
        """Let it count for the account that its own registration has become.

        Returns:
            What it is called.

        Raises:
            Refused: It is somebody's by now.
        """
        ...


class Spare(Factor, Protocol):
    """A factor that only stands in for another one that is lost, and is worth nothing without one: backup codes."""

    async def prepare(self, reads: Reads, account_id: str) -> Issue | None:
        """Make spares for an account that has none left; None when it has some.

        May hash: no transaction is open. What it returns stores them, unless others were stored meanwhile, and says
        what to show their owner once.
        """
        ...
