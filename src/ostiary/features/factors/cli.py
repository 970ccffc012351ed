"""Owns the command ``ostiary users reset-factors``."""

from typing import Annotated

import typer

from ostiary.core.wiring import Core
from ostiary.features.factors import flow
from ostiary.http.commands import DatabaseOption, DataOption, DevOption, JsonOption, Open, say, users


def commands(open_core: Open) -> typer.Typer:
    """The command, on an engine that `open_core` opens."""
    app, group = users()

    @group.command("reset-factors")
    def reset_factors(
        email: Annotated[str, typer.Argument(help="An e-mail address of the account.")],
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Remove every second factor of somebody who has lost them. Make sure who asks; the owner gets a mail."""

        async def work(core: Core) -> tuple[str, tuple[str, ...]]:
            return await flow.reset(core, email)

        account_id, had = open_core(work, data=data, database=database, dev=dev)
        words = f"{email} signs in without a second step" if had else f"{email} had no second factor"
        say(as_json, {"account_id": account_id, "email": email, "removed": list(had)}, words)

    return app
