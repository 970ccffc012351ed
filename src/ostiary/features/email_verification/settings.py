"""Owns the settings of e-mail verification."""

from dataclasses import dataclass
from datetime import timedelta

from ostiary.http.settings import check_link_target
from ostiary.kernel.settings import Rate, setting


@dataclass(frozen=True, slots=True)
class VerificationSettings:
    """E-mail verification."""

    verify_link_lifetime: timedelta = setting(timedelta(hours=24), doc="How long the link in the mail works.")
    verify_code_lifetime: timedelta = setting(
        timedelta(minutes=10), doc="How long the code works; at most 10 minutes."
    )
    verify_url: str | None = setting(
        None,
        doc="Page of your front end that the link opens, with `?token=…`; without it ostiary's own page.",
    )
    resend_per_address: Rate = setting(Rate(3, timedelta(hours=1)), doc="Mails sent again to one address.")
    resend_per_network: Rate = setting(Rate(30, timedelta(hours=1)), doc="Mails sent again per network.")
    verify_failures_per_network: Rate = setting(
        Rate(30, timedelta(minutes=15)), doc="Wrong links and codes per network."
    )

    verify_failures_per_address: Rate = setting(
        Rate(20, timedelta(days=1)), doc="Wrong codes for one address, however often a new one is asked for."
    )

    def __post_init__(self) -> None:
        if not timedelta() < self.verify_code_lifetime <= timedelta(minutes=10):
            raise ValueError(
                "verify_code_lifetime: must be above zero and at most 10m (NIST SP 800-63B-4 section 3.1.3)"
            )
        if not timedelta() < self.verify_link_lifetime <= timedelta(hours=24):
            raise ValueError("verify_link_lifetime: must be above zero and at most 24h")
        if self.verify_url is not None:
            check_link_target("verify_url", self.verify_url)
