"""Owns the settings of the export."""

from dataclasses import dataclass
from datetime import timedelta

from ostiary.kernel.settings import Rate, setting


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """Export of an account."""

    exports_per_account: Rate = setting(
        Rate(5, timedelta(hours=1)), doc="How often the owner of an account may have everything about it."
    )
