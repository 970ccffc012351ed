"""Owns the command ``ostiary users export``."""

import sys
from typing import Annotated

import typer

from ostiary.core.wiring import Core
from ostiary.features.export import flow
from ostiary.http.commands import DatabaseOption, DataOption, DevOption, Open, users


def commands(open_core: Open) -> typer.Typer:
    """The command, on an engine that `open_core` opens."""
    app, group = users()

    @group.command("export")
    def export(
        email: Annotated[str, typer.Argument(help="An e-mail address of the account.")],
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
    ) -> None:
        """Print everything that is kept about an account as JSON. Make sure who asks; the owner gets a mail."""

        async def work(core: Core) -> None:
            async for piece in (await flow.export_for_operator(core, email)).pieces:
                sys.stdout.buffer.write(piece)

        open_core(work, data=data, database=database, dev=dev)

    return app
