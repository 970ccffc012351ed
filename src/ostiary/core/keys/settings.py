"""Owns the settings of keys."""

from dataclasses import dataclass
from datetime import timedelta

from ostiary.kernel.settings import setting


@dataclass(frozen=True, slots=True)
class KeySettings:
    """Keys."""

    ring_rotation: timedelta = setting(
        timedelta(days=90), doc="How long a key of the ring makes new values before the next one takes over."
    )

    def __post_init__(self) -> None:
        if self.ring_rotation < timedelta(days=1):
            raise ValueError("ring_rotation: must be at least 1d")
