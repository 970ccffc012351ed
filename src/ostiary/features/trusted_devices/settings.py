"""Owns the settings of trusted devices."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from ostiary.kernel.settings import setting


@dataclass(frozen=True, slots=True)
class TrustedDeviceSettings:
    """Trusted devices."""

    trusted_devices: Literal["on", "off", "unless_required"] = setting(
        "on",
        doc="Whether people may spare themselves the second step in a browser: everybody, nobody, or everybody but "
        "those of whom it is required (`require_factor`).",
    )
    trusted_device_lifetime: timedelta = setting(
        timedelta(days=30), doc="How long a browser is spared the second step; at most 90d."
    )
    trusted_devices_per_account: int = setting(
        10, doc="Most trusted devices of an account; one more ends the oldest."
    )

    def __post_init__(self) -> None:
        if not timedelta(minutes=1) <= self.trusted_device_lifetime <= timedelta(days=90):
            raise ValueError("trusted_device_lifetime: must be 1m to 90d")
        if not 1 <= self.trusted_devices_per_account <= 100:
            raise ValueError("trusted_devices_per_account: must be 1 to 100")
