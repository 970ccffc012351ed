"""Owns the flows of roles: what one holds, and the operator's changes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ostiary.core.access import access
from ostiary.core.access.decide import Decision
from ostiary.core.access.permission import permission
from ostiary.core.access.roles import Role
from ostiary.core.accounts import accounts, services
from ostiary.core.change import Change
from ostiary.core.wiring import Core
from ostiary.kernel.errors import Misuse
from ostiary.kernel.origin import Origin
from ostiary.kernel.principal import Principal

OPERATOR: Final = "operator"


@dataclass(frozen=True, slots=True)
class Held:
    """A role that an account holds.

    Attributes:
        doc: What it is, in the words of whoever defined it.
        scope: "" everywhere.
        until: When it ends.
        patterns: Everything that it grants, inherited or not.
    """

    role: str
    doc: str
    scope: str
    until: datetime | None
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """A role of the deployment.

    Attributes:
        where_from: ``built in``, ``code`` or ``database``.
    """

    role: Role
    where_from: str


async def mine(core: Core, who: Principal) -> list[Held]:
    """What whoever asks holds at this moment."""
    standing = await core.authority.standing(core.database, who)
    book = standing.rules.roles
    return [
        Held(
            one.role,
            book.roles[one.role].doc if one.role in book.roles else "",
            one.scope,
            one.until,
            book.patterns(one.role),
        )
        for one in standing.grants
    ]


async def every(core: Core) -> list[Listed]:
    """Every role of the deployment, by name."""
    book = core.authority.book
    roles = await book.now(core.database)
    defined = {role.name for role in await book.defined(core.database)}
    return [Listed(role, book.where_from(name, defined)) for name, role in sorted(roles.roles.items())]


async def define(core: Core, role: Role) -> None:
    """Write a role into the database, new or changed.

    Raises:
        Misuse: the name or a pattern is none, the program defines it, or the roles would not fit together.
    """
    async with core.runner.flow(Origin()) as flow:
        await flow.change(lambda change: core.authority.book.define(change, role, OPERATOR))


async def drop(core: Core, name: str) -> bool:
    """Remove a role from the database; False when it is not there.

    Raises:
        Misuse: the program defines it, or another role inherits it.
    """
    async with core.runner.flow(Origin()) as flow:
        return await flow.change(lambda change: core.authority.book.drop(change, name, OPERATOR))


async def grant(core: Core, email: str, role: str, scope: str, until: datetime | None) -> bool:
    """Give a role to the account that has an address; False when it has it just like that already.

    Raises:
        Misuse: there is no such account or role, the scope is none, or `until` has passed.
    """

    async def work(change: Change) -> bool:
        account_id = await _locked(change, email)
        roles = await core.authority.book.now(change)
        if role not in roles.roles:
            names = ", ".join(sorted(roles.roles))
            raise Misuse(
                f"there is no role {role!r}; there are {names}. Define it with `ostiary roles define`"
            )
        return await access.grant(change, account_id, role, OPERATOR, scope, until)

    async with core.runner.flow(Origin()) as flow:
        return await flow.change(work)


async def revoke(core: Core, email: str, role: str, scope: str) -> bool:
    """Take a role from the account that has an address, in one scope; False when it did not have it there.

    Raises:
        Misuse: there is no such account.
    """

    async def work(change: Change) -> bool:
        return await access.revoke(change, await _locked(change, email), role, OPERATOR, scope)

    async with core.runner.flow(Origin()) as flow:
        return await flow.change(work)


async def explain(core: Core, email: str, asked: str) -> Decision:
    """Why the account that has an address may do something in general, or why not.

    Raises:
        Misuse: there is no such account, or `asked` is no permission.
    """
    permission(asked)
    account_id = await services.named(core.database, email)
    if account_id is None:
        raise _nobody(email)
    return (await core.authority.standing_of(core.database, account_id)).explain(asked)


async def _locked(change: Change, email: str) -> str:
    account_id = await services.named(change, email)
    if account_id is None or await accounts.lock(change, account_id) is None:
        raise _nobody(email)
    return account_id


def _nobody(email: str) -> Misuse:
    if email.startswith("service:"):
        return Misuse(f"there is no service {email.partition(':')[2]!r}; `ostiary api-keys create` makes it")
    return Misuse(f"no account has the address {email}")
