"""Owns the settings of claiming."""

from dataclasses import dataclass
from datetime import timedelta

from ostiary.kernel.settings import Rate, setting


@dataclass(frozen=True, slots=True)
class ClaimSettings:
    """The first administrator."""

    claim_lifetime: timedelta = setting(
        timedelta(minutes=30), doc="How long a claim link works; at most a day."
    )
    claim_failures_per_network: Rate = setting(
        Rate(10, timedelta(minutes=15)), doc="Wrong claim links per network (IPv4 address or IPv6 /64)."
    )

    def __post_init__(self) -> None:
        if not timedelta() < self.claim_lifetime <= timedelta(days=1):
            raise ValueError("claim_lifetime: must be above zero and at most 1d")
