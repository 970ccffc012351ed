"""Owns the command ``ostiary api-keys``."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from ostiary.core.api_keys.keys import ApiKey
from ostiary.core.wiring import Core
from ostiary.features.api_keys import operator
from ostiary.features.api_keys.flow import Made
from ostiary.features.api_keys.wish import Wish
from ostiary.http.commands import DatabaseOption, DataOption, DevOption, JsonOption, Open, group, say

_Service = Annotated[str, typer.Option(help="The service's name.")]
_Key = Annotated[str, typer.Argument(help="The key's id, or what is shown of it.")]


def commands(open_core: Open) -> typer.Typer:
    """The commands, on an engine that `open_core` opens."""
    app, keys = group("api-keys", "API keys: those of services, and revoking anybody's.")

    @keys.command()
    def create(
        name: Annotated[str, typer.Argument(help="What the key is for.")],
        service: _Service,
        scope: Annotated[
            list[str] | None,
            typer.Option(help="A permission such as notes:read or notes:*; give it again for more."),
        ] = None,
        role: Annotated[
            list[str] | None,
            typer.Option(help="A role that the service shall hold; give it again for more."),
        ] = None,
        network: Annotated[
            list[str] | None,
            typer.Option(help="From where it may be used, such as 203.0.113.0/24; give it again for more."),
        ] = None,
        expires: Annotated[
            datetime | None,
            typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="When it ends, in UTC."),
        ] = None,
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Make a key for a service, and show it this once. The service is made if there is none of that name.

        A service may do what its roles allow: give it one with --role, or `ostiary roles grant service:NAME ROLE`.
        """
        ends = expires.replace(tzinfo=UTC) if expires else None
        wish = Wish(name, tuple(scope or ()), tuple(network or ()), ends)

        async def work(core: Core) -> Made:
            return await operator.create_for_service(core, service, wish, tuple(role or ()))

        _show(open_core(work, data=data, database=database, dev=dev), as_json)

    @keys.command("list")
    def list_keys(
        owner: Annotated[str, typer.Argument(help="An e-mail address of the account, or service:NAME.")],
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """List the keys of an account, without their secrets."""

        async def work(core: Core) -> list[ApiKey]:
            return await operator.listed(core, owner)

        listed = open_core(work, data=data, database=database, dev=dev)
        words = "\n".join(_line(one) for one in listed) or f"{owner} has no API keys"
        say(as_json, {"owner": owner, "api_keys": [_document(one) for one in listed]}, words)

    @keys.command()
    def rotate(
        key: _Key,
        service: _Service,
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Give a key of a service a successor, and show it this once; the old one goes on for a while."""

        async def work(core: Core) -> Made:
            return await operator.rotate_for_service(core, service, key)

        _show(open_core(work, data=data, database=database, dev=dev), as_json)

    @keys.command()
    def revoke(
        key: _Key,
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Revoke anybody's key. It is refused at its next request, and its owner is told."""

        async def work(core: Core) -> str:
            return await operator.revoke(core, key)

        key_id = open_core(work, data=data, database=database, dev=dev)
        say(as_json, {"id": key_id, "revoked": True}, f"{key_id} is revoked")

    return app


def _show(made: Made, as_json: bool) -> None:
    say(as_json, _document(made.key) | {"key": made.text.reveal()}, made.text.reveal())


def _document(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.shown,
        "scopes": list(key.scopes),
        "networks": list(key.networks),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "rotated_to": key.rotated_to,
    }


def _line(key: ApiKey) -> str:
    until = key.expires_at.isoformat(timespec="seconds") if key.expires_at else "without end"
    return f"{key.shown}  {until:<25}  {' '.join(key.scopes) or '-'}  {key.name}"
