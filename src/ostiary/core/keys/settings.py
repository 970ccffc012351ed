"""Owns the settings of keys."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from ostiary.kernel.secret import Secret
from ostiary.kernel.settings import setting


@dataclass(frozen=True, slots=True)
class KeySettings:
    """Keys."""

    ring_rotation: timedelta = setting(
        timedelta(days=90), doc="How long a key of the ring makes new values before the next one takes over."
    )

    signing_algorithm: Literal["ES256", "RS256", "EdDSA"] = setting(
        "ES256", doc="How tokens are signed. After a change the next key is of the new kind."
    )
    signing_rotation: timedelta = setting(
        timedelta(days=30), doc="How long a key signs tokens before the next one takes over."
    )
    signing_overlap: timedelta = setting(
        timedelta(days=1), doc="How long a key that signs no more is still published and believed."
    )
    signing_key: Secret | None = setting(
        None,
        doc="A private key of your own (PEM), taken in at start: the first one to sign, or else the next one.",
    )

    def __post_init__(self) -> None:
        if self.signing_rotation < timedelta(hours=1):
            raise ValueError("signing_rotation: must be at least 1h")
        if not timedelta(hours=1) <= self.signing_overlap <= timedelta(days=365):
            raise ValueError("signing_overlap: must be 1h to 365d")
        if self.ring_rotation < timedelta(days=1):
            raise ValueError("ring_rotation: must be at least 1d")
