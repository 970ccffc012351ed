"""Owns the settings of codes by mail."""

from dataclasses import dataclass
from datetime import timedelta

from ostiary.kernel.settings import Rate, setting


@dataclass(frozen=True, slots=True)
class EmailCodeSettings:
    """Codes by mail."""

    email_code: bool = setting(
        False, doc="Whether people may choose a code by mail as their second step (not with NIST SP 800-63B)."
    )
    email_code_lifetime: timedelta = setting(
        timedelta(minutes=10), doc="How long a mailed code works; at most 10 minutes."
    )
    email_codes_per_account: Rate = setting(
        Rate(10, timedelta(hours=1)), doc="Codes mailed to one account, for whatever it wants them."
    )

    def __post_init__(self) -> None:
        if not timedelta() < self.email_code_lifetime <= timedelta(minutes=10):
            raise ValueError(
                "email_code_lifetime: must be above zero and at most 10m (NIST SP 800-63B-4 section 3.1.3)"
            )
