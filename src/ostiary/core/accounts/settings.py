"""Owns the settings of accounts."""

from dataclasses import dataclass
from typing import Final

from ostiary.core.accounts.profile import ProfileField
from ostiary.kernel.settings import setting

_MOST: Final = 50


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """Accounts."""

    profile_fields: tuple[ProfileField, ...] = setting(
        (),
        doc="What you keep about each account beside its name: `city`, `city text 80`, `born number 1900..2030`, "
        "`news flag`, `plan text read-only`. What is not read-only its owner can change.",
    )

    def __post_init__(self) -> None:
        names = [field.name for field in self.profile_fields]
        if len(set(names)) < len(names):
            raise ValueError("profile_fields: a field is declared twice")
        if len(names) > _MOST:
            raise ValueError(f"profile_fields: at most {_MOST}; keep more in a table of your own")
