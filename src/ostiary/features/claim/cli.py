"""Owns the command ``ostiary claim``."""

from typing import Annotated

import typer

from ostiary.features.claim import flow
from ostiary.http.commands import DatabaseOption, DataOption, DevOption, JsonOption, Open, say


def commands(open_core: Open) -> typer.Typer:
    """The command, on an engine that `open_core` opens."""
    app = typer.Typer()

    @app.command()
    def claim(
        data: DataOption = None,
        database: DatabaseOption = None,
        dev: DevOption = None,
        as_json: JsonOption = False,
        base_url: Annotated[
            str | None, typer.Option(help="Where the server is reached, for the link.")
        ] = None,
    ) -> None:
        """Print a link that makes whoever opens it, signed in, administrator. It works once."""
        link = open_core(flow.issue, data=data, database=database, dev=dev, base_url=base_url)
        say(as_json, {"link": link}, link)

    return app
