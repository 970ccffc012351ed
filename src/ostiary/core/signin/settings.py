"""Owns the settings of the door."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from ostiary.kernel.settings import Rate, setting


@dataclass(frozen=True, slots=True)
class SigninSettings:
    """Signing in."""

    verify_email: Literal["required", "optional"] = setting(
        "required", doc="Whether an account can sign in before its e-mail address is verified."
    )
    signin_failures_per_network: Rate = setting(
        Rate(20, timedelta(minutes=15)), doc="Failed sign-ins per network (IPv4 address or IPv6 /64)."
    )
    factor_failures_per_network: Rate = setting(
        Rate(30, timedelta(minutes=15)), doc="Failed second factors per network."
    )
    challenges_per_account: Rate = setting(
        Rate(10, timedelta(hours=1)),
        doc="Codes by mail and other challenges that the sign-ins of one account ask for.",
    )
    attempt_lifetime: timedelta = setting(
        timedelta(minutes=10), doc="How long a sign-in may wait for its second factor; at most 10 minutes."
    )
    require_factor: Literal["off", "everybody", "roles"] = setting(
        "off", doc="Whose accounts need a second factor: nobody's, everybody's, or those of some roles."
    )
    require_factor_roles: tuple[str, ...] = setting(
        ("superadmin", "admin"), doc='Roles that need a second factor while `require_factor` is "roles".'
    )
    factor_grace: timedelta = setting(
        timedelta(days=7),
        doc="How long an account may go without a second factor, from the first sign-in at which one was required.",
    )
    door_enrolments_per_account: Rate = setting(
        Rate(20, timedelta(hours=1)), doc="Second factors that the sign-ins of one account may begin to add."
    )

    def __post_init__(self) -> None:
        if not timedelta() < self.attempt_lifetime <= timedelta(minutes=10):
            raise ValueError("attempt_lifetime: must be above zero and at most 10m (ASVS 6.6)")
        if self.require_factor == "roles" and not self.require_factor_roles:
            raise ValueError('require_factor_roles: must name a role while require_factor is "roles"')
