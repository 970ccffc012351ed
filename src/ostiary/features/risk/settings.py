"""Owns the settings of risk: which measure is due for which signal."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ostiary.core.signin.watch import Measure
from ostiary.kernel.settings import setting

Wish = Literal["allow", "notify", "ask", "refuse"]
_FEWEST_FAILURES: Final = 2


@dataclass(frozen=True, slots=True)
class RiskSettings:
    """Risk. Each signal has its measure: `allow` notes it, `notify` tells the owner, `ask` demands two factors."""

    risk_new_device: Wish = setting(
        "notify", doc="When somebody signs in with a device or browser that the account does not know."
    )
    risk_new_country: Wish = setting(
        "notify", doc="When somebody signs in from a country for the first time; needs `geoip_file`."
    )
    risk_impossible_travel: Wish = setting(
        "ask", doc="When nobody can have travelled here since the last sign-in; needs `geoip_file`."
    )
    risk_unusual_hour: Wish = setting(
        "notify", doc="When somebody signs in at an hour that is far from all hours before."
    )
    risk_many_failures: Wish = setting(
        "notify", doc="When `risk_failures` tries or more failed right before a sign-in."
    )
    risk_listed_network: Wish = setting(
        "ask", doc="When somebody signs in from a network of `risk_networks_file`."
    )
    risk_breached_password: Wish = setting(
        "notify",
        doc="When somebody signs in with a password known from a breach; needs `breached_passwords`.",
    )
    risk_failures: int = setting(5, doc="How many failed tries in a row before a sign-in make it unusual.")
    risk_networks_file: Path | None = setting(
        None, doc="A file of networks (CIDR) to be wary of, one a line, such as those of Tor exits."
    )

    def __post_init__(self) -> None:
        if self.risk_failures < _FEWEST_FAILURES:
            raise ValueError(
                f"risk_failures: must be at least {_FEWEST_FAILURES}; anybody mistypes a password once"
            )

    def measure(self, signal: str) -> Measure:
        """What is done about a signal."""
        wish: Wish = getattr(self, f"risk_{signal}")
        return Measure[wish.upper()]
