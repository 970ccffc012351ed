"""Owns the settings of claiming."""

from dataclasses import dataclass
from datetime import timedelta

from ostiary.kernel.settings import setting


@dataclass(frozen=True, slots=True)
class ClaimSettings:
    """The first administrator."""

    claim_lifetime: timedelta = setting(
        timedelta(minutes=30), doc="How long a claim link works; at most a day."
    )

    def __post_init__(self) -> None:
        if not timedelta() < self.claim_lifetime <= timedelta(days=1):
            raise ValueError("claim_lifetime: must be above zero and at most 1d")
