"""Owns the command ``ostiary risk``."""

from ipaddress import ip_address
from typing import Annotated

import typer

from ostiary.core.signin.watch import Caution
from ostiary.core.wiring import Core
from ostiary.features.risk import flow
from ostiary.http.commands import DatabaseOption, DataOption, DevOption, JsonOption, Open, group, say
from ostiary.kernel.origin import Origin, clean_user_agent


def _address(words: str) -> str:
    try:
        return str(ip_address(words))
    except ValueError:
        raise typer.BadParameter("give an IPv4 or IPv6 address") from None


def commands(open_core: Open) -> typer.Typer:
    """The commands, on an engine that `open_core` opens."""
    app, risk = group("risk", "Risk: what is unusual about a sign-in.")

    @risk.command()
    def explain(
        email: Annotated[str, typer.Argument(help="An e-mail address of the account.")],
        address: Annotated[
            str, typer.Option("--from", callback=_address, help="The IP address to sign in from.")
        ],
        user_agent: Annotated[str, typer.Option(help="What the browser calls itself.")] = "",
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Say what would be unusual if somebody signed in to an account now, and what would be done about it.

        Nobody signs in, and nothing is written. It asks the settings that it is given itself, so a policy is tried here
        before a server gets it. A browser that the account knows is asked less.
        """
        origin = Origin(address, clean_user_agent(user_agent))

        async def work(core: Core) -> Caution:
            return await flow.explain(core, email, origin)

        found = open_core(work, data=data, database=database, dev=dev)
        measure = found.measure.name.lower()
        signals = [{"flag": signal.name, "reason": signal.reason} for signal in found.signals]
        lines = [
            f"{email} from {address}: {measure}",
            *(f"{one['flag']}: {one['reason']}" for one in signals),
        ]
        say(as_json, {"outcome": measure, "signals": signals}, "\n  ".join(lines))

    return app
