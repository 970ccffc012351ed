"""Owns the lifetimes and limits of sessions."""

from dataclasses import dataclass
from datetime import timedelta

from ostiary.kernel.settings import setting


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """Sessions."""

    session_idle: timedelta = setting(
        timedelta(minutes=30), doc="Without a request for this long a session ends."
    )
    session_lifetime: timedelta = setting(
        timedelta(hours=8), doc="A session ends after this long, whatever happens."
    )
    remember_idle: timedelta = setting(timedelta(days=7), doc="As `session_idle`, for “remember me”.")
    remember_lifetime: timedelta = setting(
        timedelta(days=30), doc="As `session_lifetime`, for “remember me”."
    )
    sessions_per_account: int = setting(5, doc="Live sessions per account; one more ends the oldest.")
    fresh_for: timedelta = setting(
        timedelta(minutes=15),
        doc="How old the last sign-in may be when somebody changes what guards the account.",
    )
    last_seen_every: timedelta = setting(
        timedelta(seconds=60),
        doc="Last-seen is written at most this often, so an idle session may end by this much late, never early.",
    )

    def __post_init__(self) -> None:
        if self.sessions_per_account < 1:
            raise ValueError("sessions_per_account: must be at least 1")
        if self.fresh_for <= timedelta():
            raise ValueError("fresh_for: must be above zero")
        if not timedelta() < self.session_idle <= self.session_lifetime:
            raise ValueError("session_idle: must be above zero and at most session_lifetime")
        if not timedelta() < self.remember_idle <= self.remember_lifetime:
            raise ValueError("remember_idle: must be above zero and at most remember_lifetime")
        if self.remember_lifetime > timedelta(days=400):
            raise ValueError(
                "remember_lifetime: browsers keep no cookie longer than 400 days (RFC 6265bis section 5.5)"
            )
        if self.last_seen_every >= min(self.session_idle, self.remember_idle):
            raise ValueError("last_seen_every: must be shorter than session_idle and remember_idle")
