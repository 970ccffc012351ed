"""Owns the settings of backup codes."""

from dataclasses import dataclass
from datetime import timedelta

from ostiary.features.backup_codes.code import MOST
from ostiary.kernel.settings import Rate, setting


@dataclass(frozen=True, slots=True)
class BackupCodeSettings:
    """Backup codes."""

    backup_code_count: int = setting(10, doc="How many backup codes an account gets at once.")
    backup_code_warning: int = setting(
        2, doc="From so few backup codes on their owner is told to make new ones."
    )
    backup_code_sets_per_account: Rate = setting(
        Rate(5, timedelta(hours=1)), doc="How often an account may make new backup codes."
    )

    def __post_init__(self) -> None:
        if not 1 <= self.backup_code_count <= MOST:
            raise ValueError(f"backup_code_count: must be 1 to {MOST}")
        if not 0 <= self.backup_code_warning < self.backup_code_count:
            raise ValueError("backup_code_warning: must be less than backup_code_count")
