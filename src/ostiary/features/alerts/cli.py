"""Owns the command ``ostiary users enable``."""

from typing import Annotated

import typer

from ostiary.core.wiring import Core
from ostiary.features.alerts import flow
from ostiary.http.commands import DatabaseOption, DataOption, DevOption, JsonOption, Open, say, users


def commands(open_core: Open) -> typer.Typer:
    """The command, on an engine that `open_core` opens."""
    app, group = users()

    @group.command("enable")
    def enable(
        email: Annotated[str, typer.Argument(help="An e-mail address of the account.")],
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Let a disabled account be used again. Make sure whose it is: whoever reads its mail gets in then."""

        async def work(core: Core) -> tuple[str, bool]:
            return await flow.enable(core, email)

        account_id, was_disabled = open_core(work, data=data, database=database, dev=dev)
        words = f"{email} is enabled" if was_disabled else f"{email} was not disabled"
        say(as_json, {"account_id": account_id, "email": email, "was_disabled": was_disabled}, words)

    return app
