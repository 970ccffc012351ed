"""Owns the settings of access."""

from dataclasses import dataclass

from ostiary.core.access.roles import USER
from ostiary.kernel.settings import setting


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """Roles and permissions."""

    default_role: str = setting(
        USER, doc='The role that every account holds without being given it; "" for none.'
    )
