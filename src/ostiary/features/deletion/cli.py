"""Owns the command ``ostiary users delete``."""

from datetime import datetime
from typing import Annotated

import typer

from ostiary.core.mail.words import ENGLISH
from ostiary.core.wiring import Core
from ostiary.features.deletion import flow
from ostiary.http.commands import DatabaseOption, DataOption, DevOption, JsonOption, Open, say, users


def commands(open_core: Open) -> typer.Typer:
    """The command, on an engine that `open_core` opens."""
    app, group = users()

    @group.command("delete")
    def delete(
        email: Annotated[str, typer.Argument(help="An e-mail address of the account.")],
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Have an account deleted after the grace; its sessions end. The owner gets a mail; signing in undoes it."""

        async def work(core: Core) -> tuple[str, datetime]:
            return await flow.request_for_operator(core, email)

        account_id, due = open_core(work, data=data, database=database, dev=dev)
        words = f"the account of {email} will be deleted on {ENGLISH.moment(due)}, unless its owner signs in before"
        say(as_json, {"account_id": account_id, "due_at": due}, words)

    return app
