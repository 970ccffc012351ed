"""Owns the settings of an account's e-mail addresses."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from ostiary.http.settings import check_link_target
from ostiary.kernel.settings import Rate, setting

_MOST: Final = 20


@dataclass(frozen=True, slots=True)
class EmailSettings:
    """E-mail addresses of an account."""

    emails_per_account: int = setting(
        5, doc="How many addresses an account has, those that wait for their proof among them; 1 to 20."
    )
    new_email_link_lifetime: timedelta = setting(
        timedelta(hours=24), doc="How long the link works that proves another address; at most 24 hours."
    )
    new_email_code_lifetime: timedelta = setting(
        timedelta(minutes=10), doc="How long the code works that proves another address; at most 10 minutes."
    )
    new_email_url: str | None = setting(
        None,
        doc="Page of your front end that this link opens, with `?token=…`; without it ostiary's own page.",
    )
    new_email_mails_per_address: Rate = setting(
        Rate(3, timedelta(hours=1)), doc="Mails to one address that somebody wants to add."
    )
    new_email_mails_per_account: Rate = setting(
        Rate(10, timedelta(hours=1)), doc="Such mails that one account causes."
    )
    new_email_mails_per_network: Rate = setting(
        Rate(30, timedelta(hours=1)), doc="Such mails per network that causes them."
    )
    new_email_failures_per_account: Rate = setting(
        Rate(20, timedelta(days=1)), doc="Wrong links and codes for further addresses of one account."
    )
    new_email_failures_per_network: Rate = setting(
        Rate(30, timedelta(minutes=15)), doc="Wrong links and codes for further addresses per network."
    )

    def __post_init__(self) -> None:
        if not 1 <= self.emails_per_account <= _MOST:
            raise ValueError(f"emails_per_account: must be 1 to {_MOST}")
        if not timedelta() < self.new_email_code_lifetime <= timedelta(minutes=10):
            raise ValueError(
                "new_email_code_lifetime: must be above zero and at most 10m (NIST SP 800-63B-4 section 3.1.3)"
            )
        if not timedelta() < self.new_email_link_lifetime <= timedelta(hours=24):
            raise ValueError("new_email_link_lifetime: must be above zero and at most 24h")
        if self.new_email_url is not None:
            check_link_target("new_email_url", self.new_email_url)
