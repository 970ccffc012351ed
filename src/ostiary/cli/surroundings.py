"""Owns what commands work on: an engine from environment and options, or that of the application they run in."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, TypeVar

from ostiary.core.wiring import Core
from ostiary.engine.engine import Engine
from ostiary.engine.features import RIBS
from ostiary.engine.settings import (
    DEV_HOST,
    DEV_PORT,
    EngineSettings,
    from_environment,
    groups_of,
    is_development,
    load,
    make_folder,
)
from ostiary.kernel.errors import Misuse
from ostiary.kernel.settings import Settings
from ostiary.kernel.world import World

T = TypeVar("T")

_application: Final[ContextVar[Engine | None]] = ContextVar("ostiary_application", default=None)


@contextmanager
def inside(engine: Engine | None) -> Iterator[None]:
    """Let commands work on an application's engine, which does not run; on one of their own without any."""
    token = _application.set(engine)
    try:
        yield
    finally:
        _application.reset(token)


def refuse_inside(command: str) -> None:
    """Keep a command from running in an application.

    Raises:
        Misuse: it does.
    """
    if _application.get() is not None:
        raise Misuse(f"{command} is for the stand-alone server: run `ostiary {command}`")


def _applications(options: dict[str, Any]) -> Engine | None:
    engine = _application.get()
    if engine is not None and any(value is not None for value in options.values()):
        raise Misuse("the application's own settings count here; leave --data, --database and --dev out")
    return engine


def given(**options: Any) -> dict[str, object]:
    """Settings from the environment (OSTIARY_…), overridden by the options that were given."""
    values = from_environment(groups_of(RIBS), os.environ)
    return values | {name: value for name, value in options.items() if value is not None}


def build(**options: object) -> Engine:
    """The application's engine, or one of the command's own; not started."""
    if (engine := _applications(options)) is not None:
        return engine
    values = given(**options)
    data = options.get("data")
    if isinstance(data, Path) and "root_secret" not in values and (data / "root-secret").exists():
        values["dev"] = True  # only development keeps its root secret there
    if is_development(values):
        values.setdefault("base_url", f"http://{DEV_HOST}:{DEV_PORT}")  # as `serve --dev` has it
    world = World()
    return Engine(load(RIBS, world, values), RIBS, world)


def open_core(flow: Callable[[Core], Awaitable[T]], **options: object) -> T:
    """Run a flow on an engine that is opened for it, beside the servers that may be running."""
    engine = build(**options)

    async def run() -> T:
        await engine.start(worker=False)
        try:
            return await flow(engine.core)
        finally:
            await engine.stop()

    return asyncio.run(run())


def database_url(**options: object) -> str:
    """Where the database is; nothing else needs to be set for that."""
    if (engine := _applications(options)) is not None:
        return engine.settings.of(EngineSettings).database
    names = {"data", "database", "dev"}
    values = {name: value for name, value in given(**options).items() if name in names}
    settings = Settings([EngineSettings], values).of(EngineSettings)
    make_folder(settings.data)
    return settings.database or f"sqlite:///{(settings.data or Path()) / 'ostiary.db'}"
