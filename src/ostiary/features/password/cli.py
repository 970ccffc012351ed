"""Owns the command ``ostiary users reset-password``."""

from typing import Annotated

import typer

from ostiary.core.wiring import Core
from ostiary.features.password import recovery
from ostiary.http.commands import DatabaseOption, DataOption, DevOption, JsonOption, Open, say, users


def commands(open_core: Open) -> typer.Typer:
    """The command, on an engine that `open_core` opens."""
    app, group = users()

    @group.command("reset-password")
    def reset_password(
        email: Annotated[str, typer.Argument(help="An e-mail address of the account.")],
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Mail the owner a link to choose a new password. Nobody else learns it; until it is used nothing changes."""

        async def work(core: Core) -> str:
            return await recovery.send_for_operator(core, email)

        account_id = open_core(work, data=data, database=database, dev=dev)
        say(as_json, {"account_id": account_id, "email": email}, f"a mail with the link goes to {email}")

    return app
