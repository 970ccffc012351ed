"""Owns the settings of registration."""

from dataclasses import dataclass
from datetime import timedelta

from ostiary.kernel.settings import Rate, setting


@dataclass(frozen=True, slots=True)
class RegistrationSettings:
    """Registration."""

    registration_open: bool = setting(True, doc="Whether strangers can register.")
    register_per_network: Rate = setting(
        Rate(30, timedelta(hours=1)),
        doc="Registrations per network whose address was not proven yet; proving it gives the place back.",
    )
    register_per_address: Rate = setting(Rate(3, timedelta(hours=1)), doc="Registrations of one address.")
