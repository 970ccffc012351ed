"""Owns the command ``ostiary`` and how its mistakes are shown."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from ostiary.cli import mail
from ostiary.core.keys.root import ROOT_BYTES
from ostiary.core.passwords.calibration import calibrate as calibrate_passwords
from ostiary.core.wiring import Core
from ostiary.engine.engine import Engine
from ostiary.engine.features import RIBS
from ostiary.engine.settings import EngineSettings, from_environment, groups_of, load, make_folder
from ostiary.http.commands import DatabaseOption, DataOption, JsonOption, say
from ostiary.kernel.errors import Misuse, Refused, Unavailable
from ostiary.kernel.settings import Settings, parse_duration
from ostiary.kernel.world import World
from ostiary.server.serve import serve as run_server
from ostiary.storage import migrate as migrations

T = TypeVar("T")

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


def _given(**options: Any) -> dict[str, object]:
    """Settings from the environment (OSTIARY_…), overridden by the options that were given."""
    values = from_environment(groups_of(RIBS), os.environ)
    return values | {name: value for name, value in options.items() if value is not None}


def _engine(**options: object) -> Engine:
    """An engine of a command's own, not started."""
    given = _given(**options)
    data = options.get("data")
    if isinstance(data, Path) and "root_secret" not in given and (data / "root-secret").exists():
        given["dev"] = True  # only development keeps its root secret there
    world = World()
    return Engine(load(RIBS, world, given), RIBS, world)


def _open(flow: Callable[[Core], Awaitable[T]], **options: object) -> T:
    """Run a flow on an engine of its own, beside the servers that may be running."""
    engine = _engine(**options)

    async def run() -> T:
        await engine.start(worker=False)
        try:
            return await flow(engine.core)
        finally:
            await engine.stop()

    return asyncio.run(run())


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


app.add_typer(mail.commands(_open, _engine), name="mail")
for rib in RIBS:
    if rib.commands is not None:
        _plug(rib.commands(_open))


@app.command()
def serve(
    dev: Annotated[
        bool | None, typer.Option("--dev", help="Development: plain http on loopback, mails into a mailbox.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Run the stand-alone server.

    Every setting can be given as OSTIARY_<NAME> or OSTIARY_<NAME>_FILE; see docs/reference/settings.md.
    """
    run_server(_given(dev=dev, data=data, database=database), host, port)


@app.command()
def migrate(data: DataOption = None, database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Bring the database to the schema of this version. Make a backup first."""
    url = _database_url(_given(data=data, database=database))
    before, after = migrations.upgrade(url)
    words = (
        f"already at revision {after}"
        if before == after
        else f"migrated from {before or 'nothing'} to {after}"
    )
    say(as_json, {"before": before, "after": after}, words)


def _database_url(given: dict[str, object]) -> str:
    names = {"data", "database", "dev"}
    engine = Settings([EngineSettings], {name: value for name, value in given.items() if name in names}).of(
        EngineSettings
    )
    make_folder(engine.data)
    return engine.database or f"sqlite:///{(engine.data or Path()) / 'ostiary.db'}"


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


def main() -> None:
    """Run the command line."""
    os.umask(0o077)  # whatever it writes (database, root secret, mails) is its owner's alone
    try:
        app()
    except Refused as error:
        _fail(error, REFUSED)
    except Misuse as error:
        _fail(error, MISUSE)
    except Unavailable as error:
        _fail(error, UNAVAILABLE)
