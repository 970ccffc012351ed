"""Owns the settings of magic links."""

from dataclasses import dataclass
from datetime import timedelta

from ostiary.http.settings import check_link_target
from ostiary.kernel.settings import Rate, setting


@dataclass(frozen=True, slots=True)
class MagicLinkSettings:
    """Magic links."""

    magic_link_lifetime: timedelta = setting(
        timedelta(minutes=10), doc="How long the link in the mail works; at most 10 minutes."
    )
    magic_link_url: str | None = setting(
        None,
        doc="Page of your front end that the link opens, with `?token=…`; without it ostiary's own page.",
    )
    magic_link_per_address: Rate = setting(Rate(5, timedelta(hours=1)), doc="Links mailed to one address.")
    magic_link_per_network: Rate = setting(Rate(30, timedelta(hours=1)), doc="Links asked for per network.")

    def __post_init__(self) -> None:
        if not timedelta() < self.magic_link_lifetime <= timedelta(minutes=10):
            raise ValueError("magic_link_lifetime: must be above zero and at most 10m")
        if self.magic_link_url is not None:
            check_link_target("magic_link_url", self.magic_link_url)
