"""Owns the settings of the deletion of accounts."""

from dataclasses import dataclass
from datetime import timedelta

from ostiary.kernel.settings import setting


@dataclass(frozen=True, slots=True)
class DeletionSettings:
    """Deletion of an account."""

    deletion_grace: timedelta = setting(
        timedelta(days=14),
        doc="How long after its owner asked for it an account is deleted; until then signing in undoes it; 1h to 90d.",
    )

    def __post_init__(self) -> None:
        if not timedelta(hours=1) <= self.deletion_grace <= timedelta(days=90):
            raise ValueError("deletion_grace: must be 1h to 90d")
