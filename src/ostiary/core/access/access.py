"""Owns giving roles to accounts, taking them away, and asking who holds one."""

from datetime import datetime
from typing import Final

from ostiary.core.access import store
from ostiary.core.access.decide import EVERYWHERE, Grant
from ostiary.core.change import Change
from ostiary.kernel.errors import Misuse
from ostiary.kernel.events import EventType, Severity
from ostiary.kernel.world import from_micros, to_micros
from ostiary.storage.database import Reads

SUPERADMIN: Final = "superadmin"

ROLE_GRANTED: Final = EventType(
    "role_granted",
    "An account was given a role.",
    Severity.WARNING,
    ("role", "by", "scope", "until"),
    changes_rights=True,
    words="You were given the role {role}.",
)
ROLE_REVOKED: Final = EventType(
    "role_revoked",
    "A role was taken from an account.",
    Severity.WARNING,
    ("role", "by", "scope"),
    changes_rights=True,
    words="The role {role} was taken from you.",
)
EVENTS: Final = (ROLE_GRANTED, ROLE_REVOKED)
_LONGEST: Final = 200


async def grant(
    change: Change,
    account_id: str,
    role: str,
    by: str,
    scope: str = EVERYWHERE,
    until: datetime | None = None,
) -> bool:
    """Give an account a role; False when it has it just like that already.

    Args:
        role: Its name. A role that nobody has defined grants nothing until somebody does.
        by: Who gives it, for the journal: an account's id, or what stands for one ("claim").
        scope: Where it counts: "" everywhere, ``organization:ID``, or ``RESOURCE:ID`` for one thing.
        until: When it ends; None when it does not. Another one replaces the one before.

    Raises:
        Misuse: the scope is none, or `until` has passed.
    """
    _check_scope(scope)
    if until is not None and until <= change.now:
        raise Misuse(
            f"the role would have ended already, at {until.isoformat()}: give a moment that is to come"
        )
    added = await change.run(
        store.ADD,
        account_id=account_id,
        role=role,
        scope=scope,
        until=None if until is None else to_micros(until),
        granted_at=change.micros,
        granted_by=by,
    )
    if added:
        ends = until.isoformat(timespec="seconds") if until else None
        await change.emit(ROLE_GRANTED(account_id, role=role, by=by, scope=scope, until=ends))
    return bool(added)


async def revoke(change: Change, account_id: str, role: str, by: str, scope: str = EVERYWHERE) -> bool:
    """Take a role from an account, in one scope; False when it did not have it there.

    Args:
        by: Who takes it, for the journal.
    """
    removed = await change.run(store.REMOVE, of_account=account_id, of_role=role, of_scope=scope)
    if removed:
        await change.emit(ROLE_REVOKED(account_id, role=role, by=by, scope=scope))
    return bool(removed)


async def grants_of(reads: Reads, account_id: str) -> tuple[Grant, ...]:
    """What an account was given, by name and scope; grants that have ended are among them."""
    return held(await reads.all(store.HELD, account_id=account_id))


def held(rows: list[store.HeldRow]) -> tuple[Grant, ...]:
    """The grants in rows of `store.HELD`."""
    found = (
        Grant(row.role, row.scope or EVERYWHERE, None if row.until is None else from_micros(row.until))
        for row in rows
        if row.role is not None
    )
    return tuple(sorted(found, key=lambda one: (one.role, one.scope)))


async def is_held(reads: Reads, role: str, now: int) -> bool:
    """Whether anybody holds a role everywhere.

    Args:
        now: UTC microseconds.
    """
    return await reads.one(store.HOLDER, role=role, now=now) is not None


async def hold_holders(change: Change, role: str) -> set[str]:
    """Who holds a role everywhere now; each of these grants is locked until the end of the change."""
    return set(await change.all(store.HOLD_HOLDERS, role=role, now=change.micros))


def _check_scope(scope: str) -> None:
    about, _, thing = scope.partition(":")
    if scope and (not about.isidentifier() or not thing or len(scope) > _LONGEST or not scope.isprintable()):
        raise Misuse(f"{scope!r} is no scope: write organization:ID, or RESOURCE:ID such as posts:17")
