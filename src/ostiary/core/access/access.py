"""Owns granting roles and asking who holds one."""

from typing import Final

from ostiary.core.access import store
from ostiary.core.change import Change
from ostiary.kernel.events import EventType, Severity
from ostiary.storage.database import Reads

SUPERADMIN: Final = "superadmin"

ROLE_GRANTED: Final = EventType(
    "role_granted",
    "An account was given a role.",
    Severity.WARNING,
    ("role", "by"),
    words="You were given the role {role}.",
)
EVENTS: Final = (ROLE_GRANTED,)


async def grant(change: Change, account_id: str, role: str, by: str) -> bool:
    """Give an account a role; False when it had it already.

    Args:
        by: Who gives it, for the journal: an account's id, or what stands for one ("claim").
    """
    added = await change.run(
        store.ADD, account_id=account_id, role=role, granted_at=change.micros, granted_by=by
    )
    if added:
        await change.emit(ROLE_GRANTED(account_id, role=role, by=by))
    return bool(added)


async def roles_of(reads: Reads, account_id: str) -> list[str]:
    """The roles that an account holds, by name."""
    return await reads.all(store.ROLES, account_id=account_id)


async def is_held(reads: Reads, role: str) -> bool:
    """Whether anybody holds a role."""
    return await reads.one(store.HOLDER, role=role) is not None
