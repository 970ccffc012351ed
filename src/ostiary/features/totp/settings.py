"""Owns the settings of TOTP."""

from dataclasses import dataclass
from datetime import timedelta

from ostiary.kernel.settings import Rate, setting


@dataclass(frozen=True, slots=True)
class TotpSettings:
    """Authenticator apps."""

    totp_drift: int = setting(
        1, doc="How many steps of 30 s before and after the present one a code may be from, 0 to 2."
    )
    totp_per_account: int = setting(10, doc="Most authenticator apps of an account.")
    totp_enrolment_lifetime: timedelta = setting(
        timedelta(minutes=10),
        doc="How long a new authenticator app may wait for its first code; at most 1 hour.",
    )
    totp_enrolments_per_account: Rate = setting(
        Rate(20, timedelta(hours=1)), doc="Authenticator apps that an account may begin to add."
    )
    totp_failures_per_account: Rate = setting(
        Rate(10, timedelta(minutes=15)), doc="Wrong codes of an account while it adds an authenticator app."
    )

    def __post_init__(self) -> None:
        if not 0 <= self.totp_drift <= 2:
            raise ValueError("totp_drift: must be 0 to 2; a code shall not live long")
        # Every code is tried against every app: the bound keeps guessing as hard as it is and an answer cheap.
        if not 1 <= self.totp_per_account <= 20:
            raise ValueError("totp_per_account: must be 1 to 20")
        if not timedelta() < self.totp_enrolment_lifetime <= timedelta(hours=1):
            raise ValueError("totp_enrolment_lifetime: must be above zero and at most 1h")
