"""Owns the command ``ostiary`` and how its mistakes are shown."""

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, NoReturn

import typer

from ostiary.cli import mail
from ostiary.cli.surroundings import build, database_url, given, inside, open_core, refuse_inside
from ostiary.core.keys.root import ROOT_BYTES
from ostiary.core.passwords.calibration import calibrate as calibrate_passwords
from ostiary.engine.engine import Engine
from ostiary.engine.features import RIBS
from ostiary.http.commands import DatabaseOption, DataOption, JsonOption, say
from ostiary.kernel.errors import Misuse, Refused, Unavailable
from ostiary.kernel.settings import parse_duration
from ostiary.kernel.world import World
from ostiary.server.serve import serve as run_server
from ostiary.storage import migrate as migrations

REFUSED = 1
MISUSE = 2
UNAVAILABLE = 3

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
passwords = typer.Typer(help="Password hashing.", no_args_is_help=True)
app.add_typer(passwords, name="passwords")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("ostiary"))
        raise typer.Exit


@app.callback()
def ostiary(
    wants_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """ostiary, the keeper of the door: authentication and authorization."""


def _plug(commands: typer.Typer) -> None:
    """Add a rib's commands. A group that several ribs bring, such as `users`, is one group with all their commands."""
    groups = {group.name: group.typer_instance for group in app.registered_groups}
    app.registered_commands += commands.registered_commands
    for group in commands.registered_groups:
        begun = groups.get(group.name)
        if begun is None or group.typer_instance is None:
            app.registered_groups.append(group)
        else:
            begun.registered_commands += group.typer_instance.registered_commands


app.add_typer(mail.commands(open_core, build), name="mail")
for rib in RIBS:
    if rib.commands is not None:
        _plug(rib.commands(open_core))


@app.command()
def serve(
    dev: Annotated[
        bool | None, typer.Option("--dev", help="Development: plain http on loopback, mails into a mailbox.")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; unless given 127.0.0.1.", show_default=False)
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Run the stand-alone server.

    Every setting can be given as OSTIARY_<NAME> or OSTIARY_<NAME>_FILE; see docs/reference/settings.md.
    """
    refuse_inside("serve")
    run_server(given(dev=dev, data=data, database=database), host, port)


@app.command()
def migrate(data: DataOption = None, database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Bring the database to the schema of this version. Make a backup first."""
    url = database_url(data=data, database=database)
    before, after = migrations.upgrade(url)
    words = (
        f"already at revision {after}"
        if before == after
        else f"migrated from {before or 'nothing'} to {after}"
    )
    say(as_json, {"before": before, "after": after}, words)


@app.command("root-secret")
def root_secret() -> None:
    """Print a new root secret. Keep it apart from the database; backups need both."""
    typer.echo(World().token(ROOT_BYTES).reveal())


@passwords.command()
def calibrate(
    target: Annotated[str, typer.Option(help="How long one hash may take, e.g. 250ms.")] = "250ms",
    as_json: JsonOption = False,
) -> None:
    """Measure this machine and suggest argon2id settings, never below the OWASP floor."""
    try:
        wanted = parse_duration(target)
    except ValueError as error:
        raise Misuse(f"--target: {error}") from None
    result = calibrate_passwords(wanted, World())
    took = round(result.took.total_seconds() * 1000)
    words = "\n".join(
        [
            f"one hash takes {took} ms with",
            *(f"  OSTIARY_{name.upper()}={value}" for name, value in result.settings.items()),
        ]
    )
    if not result.within_target:
        words += f"\nthe floor itself takes longer than {target} here; it is not lowered"
    say(
        as_json,
        {"took_ms": took, "within_target": result.within_target, "settings": dict(result.settings)},
        words,
    )


def _fail(error: Exception, status: int) -> NoReturn:
    print(f"ostiary: {error}", file=sys.stderr)
    sys.exit(status)


def main(
    arguments: Sequence[str] | None = None, *, name: str = "ostiary", engine: Engine | None = None
) -> None:
    """Run the command line, and end the process.

    Args:
        arguments: Unless given, those of the process.
        name: As what it is called.
        engine: Of the application in which it runs; it must not run itself.
    """
    os.umask(0o077)  # whatever it writes (database, root secret, mails) is its owner's alone
    try:
        with inside(engine):
            app(arguments, prog_name=name)
    except Refused as error:
        _fail(error, REFUSED)
    except Misuse as error:
        _fail(error, MISUSE)
    except Unavailable as error:
        _fail(error, UNAVAILABLE)
