"""Owns the settings of lockout and of the allow-list; rates stand beside the routes that they limit."""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from typing import Literal

from ostiary.kernel.settings import setting


@dataclass(frozen=True, slots=True)
class ThrottleSettings:
    """Lockout and rate limits in general."""

    lock_after: int = setting(
        5, doc="Consecutive failures (password and all factors together) that lock an account."
    )
    first_lock: timedelta = setting(
        timedelta(minutes=1), doc="How long the first lock lasts; later ones 5, 15, 60 min."
    )
    lock_decay: timedelta = setting(
        timedelta(hours=1), doc="How long after a lock ends the next one is a first one again."
    )
    lock_status: Literal[429, 423] = setting(
        429, doc="HTTP status of a locked account: 429, or 423 for those who must."
    )
    delay_after: int = setting(
        3, doc="From this consecutive failure on, answers are delayed by 1, 2, 4 … seconds."
    )
    delay_limit: timedelta = setting(timedelta(seconds=30), doc="The longest such delay.")
    disable_after: int = setting(
        100,
        doc="Consecutive failures that disable a password until it is reset (NIST SP 800-63B-4 section 3.2.2).",
    )
    known_browser_limit: int = setting(
        20,
        doc="A browser that signed in before has a counter of its own, so strangers cannot lock its owner out; "
        "after this many failures in a row it is refused until the password is reset.",
    )
    rate_limit_allow: tuple[str, ...] = setting(
        (), doc="Networks (CIDR) that no per-network rate limit applies to."
    )

    def __post_init__(self) -> None:
        if self.lock_after < 1 or self.delay_after < 1:
            raise ValueError("lock_after, delay_after: must be at least 1")
        if not 1 <= self.disable_after <= 100:
            raise ValueError("disable_after: must be 1 to 100 (NIST SP 800-63B-4 section 3.2.2)")
        if self.known_browser_limit < 1:
            raise ValueError("known_browser_limit: must be at least 1")
        if not self.first_lock or not self.lock_decay:
            raise ValueError("first_lock, lock_decay: must be longer than nothing")
        for words in self.rate_limit_allow:
            try:
                ip_network(words)
            except ValueError:
                raise ValueError(
                    f"rate_limit_allow: {words!r} is not a network such as 203.0.113.0/24"
                ) from None
