"""Owns the settings of changing and recovering passwords."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from ostiary.http.settings import check_link_target
from ostiary.kernel.settings import Rate, setting

_MOST_REMEMBERED: Final = 24


@dataclass(frozen=True, slots=True)
class RecoverySettings:
    """Changing and recovering passwords."""

    reset_link_lifetime: timedelta = setting(
        timedelta(hours=1), doc="How long the link in the mail works; at most 24 hours."
    )
    reset_url: str | None = setting(
        None,
        doc="Page of your front end that the link opens, with `?token=…`; without it ostiary's own page.",
    )
    reset_per_address: Rate = setting(
        Rate(3, timedelta(hours=1)),
        doc="Reset mails to one address; over it the answer is the same, and no mail leaves.",
    )
    reset_per_network: Rate = setting(Rate(30, timedelta(hours=1)), doc="Reset mails asked for per network.")
    reset_failures_per_network: Rate = setting(
        Rate(30, timedelta(minutes=15)), doc="Wrong reset links per network."
    )
    new_password_tries: Rate = setting(
        Rate(20, timedelta(hours=1)),
        doc="New passwords that are looked at for one account, refused ones among them: each costs several hashes.",
    )
    password_history: int = setting(
        5,
        doc="So many of the last passwords, the present one among them, are not used again; 0 to 24, 0 is off.",
    )

    def __post_init__(self) -> None:
        if not timedelta() < self.reset_link_lifetime <= timedelta(hours=24):
            raise ValueError("reset_link_lifetime: must be above zero and at most 24h (ASVS 6.4.3)")
        if not 0 <= self.password_history <= _MOST_REMEMBERED:
            raise ValueError(f"password_history: must be 0 to {_MOST_REMEMBERED}")
        if self.reset_url is not None:
            check_link_target("reset_url", self.reset_url)
