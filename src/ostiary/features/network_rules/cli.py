"""Owns the command ``ostiary network``."""

from typing import Annotated

import typer

from ostiary.core.networks.rules import Allowed, Denied
from ostiary.core.wiring import Core
from ostiary.features.network_rules import flow
from ostiary.features.network_rules.flow import Checked
from ostiary.http.commands import DatabaseOption, DataOption, DevOption, JsonOption, Open, group, say

_DENIED = 1


def commands(open_core: Open) -> typer.Typer:
    """The commands, on an engine that `open_core` opens."""
    app, network = group("network", "Network rules: what they say of an address.")

    @network.command()
    def check(
        address: Annotated[str, typer.Argument(help="An IPv4 or IPv6 address.")],
        role: Annotated[str, typer.Option(help="Ask for holders of this role, too.")] = "",
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Say whether an address is allowed, and by which rule; the exit status is 1 when it is not.

        It asks the settings that it is given itself, so a change is tried here before a server gets it.
        """

        async def work(core: Core) -> Checked:
            return await flow.check(core, address, role)

        found = open_core(work, data=data, database=database, dev=dev)
        place = f" ({found.country})" if found.country else ""
        head = f"{found.address}{place} is {'allowed' if found.is_allowed else 'denied'}"
        say(as_json, _document(found), "\n  ".join([head, *map(flow.in_words, found.verdicts)]))
        if not found.is_allowed:
            raise typer.Exit(_DENIED)

    return app


def _document(found: Checked) -> dict[str, object]:
    return {
        "address": found.address,
        "country": found.country or None,
        "allowed": found.is_allowed,
        "groups": [{"group": verdict.group, **_said(verdict.said)} for verdict in found.verdicts],
    }


def _said(said: Allowed | Denied) -> dict[str, object]:
    why = said.why.value if isinstance(said, Denied) else None
    return {"allowed": isinstance(said, Allowed), "why": why, "rule": said.rule or None}
