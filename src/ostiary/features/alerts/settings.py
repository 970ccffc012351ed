"""Owns the settings of alerts."""

from dataclasses import dataclass
from datetime import timedelta

from ostiary.http.settings import check_link_target
from ostiary.kernel.settings import Rate, setting


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """Alerts."""

    alerts_per_account: Rate = setting(
        Rate(3, timedelta(hours=1)),
        doc="Mails about unusual sign-ins to one account, for those that got in and those that were stopped each; "
        "the rest is counted, and told in one mail.",
    )
    not_me_lifetime: timedelta = setting(
        timedelta(days=7), doc='How long the link "this was not me" in that mail works; at most 30 days.'
    )
    not_me_url: str | None = setting(
        None,
        doc="Page of your front end that the link opens, with `?token=…`; without it ostiary's own page.",
    )
    not_me_failures_per_network: Rate = setting(
        Rate(30, timedelta(minutes=15)), doc='Wrong or spent links "this was not me" per network.'
    )

    def __post_init__(self) -> None:
        if not timedelta() < self.not_me_lifetime <= timedelta(days=30):
            raise ValueError("not_me_lifetime: must be above zero and at most 30d")
        if self.not_me_url is not None:
            check_link_target("not_me_url", self.not_me_url)
