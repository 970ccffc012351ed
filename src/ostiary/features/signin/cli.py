"""Owns the command ``ostiary users unlock``."""

from typing import Annotated

import typer

from ostiary.core.wiring import Core
from ostiary.features.signin import flow
from ostiary.http.commands import DatabaseOption, DataOption, DevOption, JsonOption, Open, say, users


def commands(open_core: Open) -> typer.Typer:
    """The command, on an engine that `open_core` opens."""
    app, group = users()

    @group.command()
    def unlock(
        email: Annotated[str, typer.Argument(help="An e-mail address of the account.")],
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """End a lock that failed sign-ins caused, and enable a password that they disabled. The password stays."""

        async def work(core: Core) -> str:
            return await flow.unlock(core, email)

        account_id = open_core(work, data=data, database=database, dev=dev)
        say(as_json, {"account_id": account_id, "email": email}, f"{email} can sign in again")

    return app
