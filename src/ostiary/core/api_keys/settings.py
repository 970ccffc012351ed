"""Owns the settings of API keys."""

from dataclasses import dataclass
from datetime import timedelta

from ostiary.kernel.settings import Rate, setting
from ostiary.protocols.api_key import is_word


@dataclass(frozen=True, slots=True)
class ApiKeySettings:
    """API keys."""

    api_key_prefix: str = setting(
        "ost", doc="What new keys begin with, so that people and secret scanners know whose they are."
    )
    api_key_environment: str = setting(
        "live",
        doc="The second part of new keys, such as `live` or `test`; it tells people where a key belongs.",
    )
    api_key_lifetime: timedelta = setting(
        timedelta(days=365),
        doc="How long a key may be good at most, and one whose owner names no end; 0s for keys without end.",
    )
    api_key_overlap: timedelta = setting(
        timedelta(hours=24), doc="How long a key goes on to work after it was rotated; at most 30d."
    )
    api_keys_per_account: int = setting(25, doc="Most keys of an account that are good at the same time.")
    api_key_changes_per_account: Rate = setting(
        Rate(30, timedelta(hours=1)), doc="Keys that an account may make or rotate."
    )
    api_key_failures_per_network: Rate = setting(
        Rate(600, timedelta(minutes=1)), doc="Wrong keys from a network; then it waits."
    )

    def __post_init__(self) -> None:
        if not is_word(self.api_key_prefix) or not is_word(self.api_key_environment):
            raise ValueError(
                "api_key_prefix, api_key_environment: must be 1 to 16 lower-case letters and digits, a letter first"
            )
        if self.api_key_lifetime and self.api_key_lifetime < timedelta(days=1):
            raise ValueError("api_key_lifetime: must be at least 1d, or 0s for keys without end")
        if not timedelta() <= self.api_key_overlap <= timedelta(days=30):
            raise ValueError("api_key_overlap: must be 0s to 30d")
        if not 1 <= self.api_keys_per_account <= 1000:
            raise ValueError("api_keys_per_account: must be 1 to 1000")
