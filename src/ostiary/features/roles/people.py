"""Owns giving roles to people and taking them, by whoever may: never one above their own, never the last superadmin."""

from dataclasses import dataclass
from typing import Final

from ostiary.core.access import access
from ostiary.core.access.authority import PERMISSION_DENIED, Standing
from ostiary.core.access.decide import EVERYWHERE, Grant
from ostiary.core.accounts import accounts, profile
from ostiary.core.change import Change
from ostiary.core.wiring import Core
from ostiary.kernel.errors import INVALID_REQUEST, NOT_FOUND, Refused, code
from ostiary.kernel.origin import Origin
from ostiary.kernel.principal import Principal
from ostiary.storage.database import Reads

MANAGE: Final = "roles:manage"
LAST_SUPERADMIN: Final = code(
    "last_superadmin",
    409,
    "Somebody must stay superadmin.",
    "This is the last account that holds the role; give it to another one first.",
)


@dataclass(frozen=True, slots=True)
class Person:
    """An account as those see it who give roles.

    Attributes:
        label: Its first proven address, or its name.
        grants: What it was given, ended grants among them.
        takable: Those that whoever asks may take.
        grantable: Names of the roles that whoever asks may give.
    """

    id: str
    label: str
    grants: tuple[Grant, ...]
    takable: frozenset[Grant]
    grantable: tuple[str, ...]


async def may_manage(core: Core, who: Principal) -> bool:
    """Whether somebody may give and take roles at all."""
    return (await core.authority.standing(core.database, who)).check(MANAGE)


async def find(core: Core, who: Principal, typed: str) -> str | None:
    """The account that has an address; None when nobody has.

    Raises:
        Refused: `permission_denied`.
    """
    (await core.authority.standing(core.database, who)).require(MANAGE)
    found = await accounts.find(core.database, typed)
    return None if found is None else found.account_id


async def person(core: Core, who: Principal, account_id: str) -> Person:
    """An account, and what whoever asks may give to it and take from it.

    Raises:
        Refused: `permission_denied`, `fresh_authentication_required` or `not_found`.
    """
    standing = await core.authority.standing(core.database, who)
    standing.require(MANAGE)
    await core.factors.require(core.database, who)
    found = await profile.find(core.database, (), account_id)
    if found is None:
        raise Refused(NOT_FOUND, "no such account", counted=False)
    addresses = await accounts.recipients(core.database, account_id)
    grants = await access.grants_of(core.database, account_id)
    book = standing.rules.roles
    return Person(
        account_id,
        addresses[0].address if addresses else found.name or account_id,
        grants,
        frozenset(grant for grant in grants if book.may_grant(standing.roles, grant.role)),
        tuple(name for name in sorted(book.roles) if book.may_grant(standing.roles, name)),
    )


async def give(core: Core, origin: Origin, who: Principal, account_id: str, role: str) -> bool:
    """Give a role, everywhere and without an end; False when the account has it just like that already.

    Raises:
        Refused: `permission_denied`, also for a role above one's own; `invalid_request`, there is no such role;
            `fresh_authentication_required`, `not_found` or `session_ended`.
    """

    async def work(change: Change) -> bool:
        standing = await _hold(core, change, who, account_id)
        if role not in standing.rules.roles.roles:
            mistake = {"loc": ["role"], "message": "There is no such role.", "type": "role"}
            raise Refused(INVALID_REQUEST, "no such role", details={"errors": [mistake]}, counted=False)
        _refuse_above(standing, role)
        return await access.grant(change, account_id, role, who.account_id)

    async with core.runner.flow(origin) as flow:
        flow.concerns(who.account_id)
        await refuse_unless_may(core, flow.reads, who)
        return await flow.change(work)


async def take(
    core: Core, origin: Origin, who: Principal, account_id: str, role: str, scope: str = EVERYWHERE
) -> bool:
    """Take a role, in one scope; False when the account did not have it there.

    Raises:
        Refused: `permission_denied`, also for a role above one's own; `last_superadmin`;
            `fresh_authentication_required`, `not_found` or `session_ended`.
    """

    async def work(change: Change) -> bool:
        standing = await _hold(core, change, who, account_id)
        _refuse_above(standing, role)
        if role == access.SUPERADMIN and scope == EVERYWHERE:
            # Locked before one goes, so two that take it from each other at once find each other's work.
            holders = await access.hold_holders(change, access.SUPERADMIN)
            if holders == {account_id}:
                raise Refused(LAST_SUPERADMIN, "nobody else holds it", counted=False)
        return await access.revoke(change, account_id, role, who.account_id, scope)

    async with core.runner.flow(origin) as flow:
        flow.concerns(who.account_id)
        await refuse_unless_may(core, flow.reads, who)
        return await flow.change(work)


async def refuse_unless_may(core: Core, reads: Reads, who: Principal) -> None:
    """Demand the permission and a fresh proof.

    Raises:
        Refused: `permission_denied` or `fresh_authentication_required`.
    """
    (await core.authority.standing(reads, who)).require(MANAGE)
    await core.factors.require(reads, who)


async def _hold(core: Core, change: Change, who: Principal, account_id: str) -> Standing:
    """Lock both accounts, always in the same order, and ask again whether whoever asks still may."""
    locked = {one: await accounts.lock(change, one) for one in sorted({who.account_id, account_id})}
    await core.factors.hold(change, who)
    standing = await core.authority.standing(change, who)
    standing.require(MANAGE)
    if locked[account_id] is None:
        raise Refused(NOT_FOUND, "no such account", counted=False)
    return standing


def _refuse_above(standing: Standing, role: str) -> None:
    if not standing.rules.roles.may_grant(standing.roles, role):
        raise Refused(PERMISSION_DENIED, "above their own", details={"permission": MANAGE}, counted=False)
