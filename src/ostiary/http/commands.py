"""Owns what the commands of all ribs share: their options, how they get at the core, and how they answer."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

import orjson
import typer

from ostiary.core.wiring import Core

T = TypeVar("T")

DataOption = Annotated[
    Path | None,
    typer.Option(help="Folder for the SQLite database and, in development, root secret and mailbox."),
]
DatabaseOption = Annotated[
    str | None, typer.Option(help="sqlite:///file.db or postgresql://user:password@host/name")
]
DevOption = Annotated[
    bool | None,
    typer.Option("--dev", help="A development installation: its root secret is a file in the data folder."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


class Open(Protocol):
    """Runs a flow on an engine that is opened for it, beside the servers that may be running."""

    def __call__(self, flow: Callable[[Core], Awaitable[T]], **options: object) -> T:
        """Open, run, close.

        Args:
            flow: What to do with the core.
            options: Settings as given on the command line; None where an option was not given.
        """
        ...


def say(as_json: bool, document: Mapping[str, Any], words: str) -> None:
    """Answer a person in words, or a script in JSON."""
    typer.echo(orjson.dumps(document, option=orjson.OPT_UTC_Z).decode() if as_json else words)


def group(name: str, purpose: str) -> tuple[typer.Typer, typer.Typer]:
    """A rib's app, and a group of commands in it; several ribs may add to a group of one name.

    Args:
        name: As typed after ``ostiary``.
        purpose: What its help says.
    """
    app, commands = typer.Typer(), typer.Typer(help=purpose, no_args_is_help=True)
    app.add_typer(commands, name=name)
    return app, commands


def users() -> tuple[typer.Typer, typer.Typer]:
    """A rib's app, and the group ``ostiary users`` in it."""
    return group("users", "Accounts of people.")
