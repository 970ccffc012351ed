"""Owns what can be limited: rate windows and lockouts, the hits that they count, and what reaching one means."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from ostiary.kernel.errors import code
from ostiary.kernel.events import EventType, Severity
from ostiary.kernel.settings import Rate

ACCOUNT_LOCKED: Final = code(
    "account_locked",
    423,
    "Too many attempts. Try again later.",
    "Instead of `too_many_attempts` when `lock_status` is 423: the account is locked for `retry_after` seconds.",
)

LOCKED: Final = EventType(
    "account_locked",
    "Consecutive failures locked an account (or an identifier that nobody has).",
    Severity.WARNING,
    ("until", "failures"),
    tell_owner=True,
    words="Sign-in was locked for a while after {failures} failed tries.",
)
LOCKED_AGAIN: Final = EventType(
    "account_locked_again",
    "Further failures locked it again, without a success in between; the owner was told the first time.",
    Severity.WARNING,
    ("until", "failures"),
    words="Sign-in was locked again after {failures} failed tries.",
)
PASSWORD_DISABLED: Final = EventType(
    "password_disabled",
    "Too many consecutive failures: the password is disabled until it is reset.",
    Severity.CRITICAL,
    ("failures",),
    tell_owner=True,
    words="Your password was disabled after {failures} failed tries.",
)
PASSWORD_STAYS_DISABLED: Final = EventType(
    "password_stays_disabled",
    "Further failures after the password was disabled; the owner was told then.",
    Severity.WARNING,
    ("failures",),
    words="Further tries to sign in failed; your password stays disabled.",
)
LIMIT_REACHED: Final = EventType(
    "rate_limit_reached",
    "A rate limit refused a request; further ones are refused without a row each.",
    Severity.WARNING,
    ("limit",),
)
EVENTS: Final = (LOCKED, LOCKED_AGAIN, PASSWORD_DISABLED, PASSWORD_STAYS_DISABLED, LIMIT_REACHED)


@dataclass(frozen=True, slots=True)
class Window:
    """A rate limit.

    Attributes:
        name: Part of the key and of the `RateLimit` header.
        rate: So many in a period.
        by_network: Counts networks, so the allow-list applies and the headers may tell.
        failures_only: A success is given back.
        counts_work: It bounds what a request costs us, so that it stays counted whatever comes of the request.
        policy: What the `RateLimit` headers call it, if not by its name.
    """

    name: str
    rate: Rate
    by_network: bool = True
    failures_only: bool = False
    counts_work: bool = False
    policy: str = ""

    @property
    def is_told(self) -> bool:
        """Whether the `RateLimit` headers may tell what is left: never about an account that somebody named."""
        return self.by_network


@dataclass(frozen=True, slots=True)
class HostWindow(Window):
    """A rate limit of the host's own routes; its key never meets one of ours, and it counts whoever asks."""

    @property
    def is_told(self) -> bool:
        """Always: the caller's own account is no news to the caller."""
        return True


@dataclass(frozen=True, slots=True)
class Lockout:
    """The lockout of an account; there is one per account for passwords and all factors together (L09).

    Attributes:
        is_strict: For known browsers: refused for good after `known_browser_limit` failures in a row. It concerns
            one browser, so it disables no password and tells nobody.
    """

    name: str = "account"
    is_strict: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing to count: a limit and whom it concerns."""

    limit: Window | Lockout
    subject: str


@dataclass(frozen=True, slots=True)
class HeldHit:
    """A counted hit, so that it can be given back.

    Attributes:
        is_alone: Its window held no other hit then.
    """

    hit: Hit
    key: bytes
    stamp: int = 0
    is_alone: bool = False
    before: int = 0
    locks: bool = False
    disables: bool = False
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """What was reserved for one try, and how long its answer is held back."""

    hits: tuple[HeldHit, ...] = ()
    delay: timedelta = timedelta()

    @property
    def failures_before(self) -> int:
        """How many tries in a row had failed before this one, as the lockout counts them."""
        return max(
            (held.failures - 1 for held in self.hits if isinstance(held.hit.limit, Lockout)), default=0
        )
