"""Owns the command ``ostiary roles``."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from ostiary.core.access.decide import Decision
from ostiary.core.access.roles import Role
from ostiary.core.wiring import Core
from ostiary.features.roles import flow
from ostiary.features.roles.flow import Listed
from ostiary.http.commands import DatabaseOption, DataOption, DevOption, JsonOption, Open, group, say

_Email = Annotated[str, typer.Argument(help="An e-mail address of the account, or service:NAME.")]
_Name = Annotated[str, typer.Argument(help="The role's name.")]
_Scope = Annotated[
    str,
    typer.Option(
        help="Where it counts: organization:ID, or RESOURCE:ID for one thing; everywhere unless given."
    ),
]


def commands(open_core: Open) -> typer.Typer:
    """The commands, on an engine that `open_core` opens."""
    app, roles = group("roles", "Roles: what they allow, and who holds them.")

    @roles.command("list")
    def list_roles(
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """List every role. Those that an application defines in its code are known to that application alone."""
        listed = open_core(flow.every, data=data, database=database, dev=dev)
        document = [
            {
                "name": one.role.name,
                "grants": list(one.role.grants),
                "inherits": list(one.role.inherits),
                "about": one.role.doc,
                "from": one.where_from,
            }
            for one in listed
        ]
        say(as_json, {"roles": document}, "\n".join(_line(one) for one in listed))

    @roles.command()
    def define(
        name: _Name,
        grants: Annotated[
            list[str] | None,
            typer.Option("--grants", help="A pattern such as notes:read or notes:*; give it again for more."),
        ] = None,
        inherits: Annotated[
            list[str] | None,
            typer.Option("--inherits", help="A role whose grants it has as well; give it again for more."),
        ] = None,
        about: Annotated[str, typer.Option(help="What it is, for people.")] = "",
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Define a role in the database, or replace what it was. It counts at the next request, without a restart."""
        role = Role(name, tuple(grants or ()), tuple(inherits or ()), about)

        async def work(core: Core) -> None:
            await flow.define(core, role)

        open_core(work, data=data, database=database, dev=dev)
        say(as_json, {"name": name, "defined": True}, f"{name} is defined")

    @roles.command()
    def drop(
        name: _Name,
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Remove a role from the database. Whoever holds it can do nothing by it any more."""

        async def work(core: Core) -> bool:
            return await flow.drop(core, name)

        dropped = open_core(work, data=data, database=database, dev=dev)
        words = f"{name} is no more" if dropped else f"{name} is not defined in the database"
        say(as_json, {"name": name, "dropped": dropped}, words)

    @roles.command()
    def grant(
        email: _Email,
        role: Annotated[str, typer.Argument(help="The role's name.")],
        scope: _Scope = "",
        until: Annotated[
            datetime | None,
            typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="When it ends, in UTC."),
        ] = None,
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Give a role to an account. It counts at the next request."""
        ends = until.replace(tzinfo=UTC) if until else None

        async def work(core: Core) -> bool:
            return await flow.grant(core, email, role, scope, ends)

        granted = open_core(work, data=data, database=database, dev=dev)
        words = f"{email} holds {role} now" if granted else f"{email} holds {role} already"
        say(as_json, {"email": email, "role": role, "scope": scope, "granted": granted}, words)

    @roles.command()
    def revoke(
        email: _Email,
        role: Annotated[str, typer.Argument(help="The role's name.")],
        scope: _Scope = "",
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Take a role from an account. It counts at the next request."""

        async def work(core: Core) -> bool:
            return await flow.revoke(core, email, role, scope)

        revoked = open_core(work, data=data, database=database, dev=dev)
        words = f"{email} holds {role} no more" if revoked else f"{email} did not hold {role}"
        say(as_json, {"email": email, "role": role, "scope": scope, "revoked": revoked}, words)

    @roles.command()
    def explain(
        email: _Email,
        permission: Annotated[str, typer.Argument(help="resource:action, such as notes:delete.")],
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Say why an account may do something, or may not. Exits with 1 if it may not."""

        async def work(core: Core) -> Decision:
            return await flow.explain(core, email, permission)

        decision = open_core(work, data=data, database=database, dev=dev)
        say(
            as_json,
            {
                "email": email,
                "permission": permission,
                "allowed": decision.allowed,
                "reasons": [{"allows": one.allows, "because": one.because} for one in decision.reasons],
            },
            f"{'allowed' if decision.allowed else 'denied'}\n"
            + "\n".join(f"  {'+' if one.allows else '-'} {one.because}" for one in decision.reasons),
        )
        if not decision.allowed:
            raise typer.Exit(1)

    return app


def _line(one: Listed) -> str:
    parts = [f"{one.role.name:<16} {one.where_from:<9} {' '.join(one.role.grants) or '-'}"]
    if one.role.inherits:
        parts.append(f"inherits {', '.join(one.role.inherits)}")
    return "  ".join(parts)
