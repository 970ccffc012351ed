"""Owns the running of the stand-alone server: one process, what it says at start, and how it ends."""

import logging.config
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Final

import uvicorn
from starlette.types import Receive, Scope, Send

from ostiary.core.mail.settings import MailSettings
from ostiary.engine.engine import Engine
from ostiary.engine.features import RIBS
from ostiary.engine.settings import DEV_HOST, EngineSettings, development_path, is_development, load
from ostiary.http.settings import HttpSettings, is_loopback
from ostiary.kernel.errors import Misuse
from ostiary.kernel.settings import Settings
from ostiary.kernel.world import World
from ostiary.server import health, home
from ostiary.server.protocol import BoundedHttp
from ostiary.storage.connect import sqlite_path

_LOOPBACK: Final = "127.0.0.1"
_LOG: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"ostiary": {"level": "INFO"}, "uvicorn.error": {"level": "WARNING"}},
}


class Served:
    """The engine's app, started and stopped with the server.

    Args:
        engine: Not started yet.
        greeting: Printed once it is.
    """

    def __init__(self, engine: Engine, greeting: str) -> None:
        self._engine = engine
        self._greeting = greeting
        self.failure: Exception | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or run the lifespan."""
        if scope["type"] != "lifespan":
            await self._engine.app(scope, receive, send)
            return
        await receive()
        try:
            await self._engine.start()
            lines = [self._greeting]
            for rib in self._engine.ribs:
                lines += await rib.greeting(self._engine.core) if rib.greeting else []
        except Exception as error:  # noqa: BLE001  # whatever it is, the server stops and `serve` says why
            self.failure = error
            await send({"type": "lifespan.startup.failed", "message": ""})
            return
        sys.stderr.write("\n".join(lines) + "\n")
        sys.stderr.flush()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._engine.stop()
        await send({"type": "lifespan.shutdown.complete"})


class Server(uvicorn.Server):
    """Takes SIGTERM and SIGINT as an order that was carried out: uvicorn would raise them again at the end.

    Args:
        config: Of uvicorn.
        parting: Lets go who only waits, before the server waits for what is under way.
    """

    def __init__(self, config: uvicorn.Config, parting: Callable[[], None]) -> None:
        super().__init__(config)
        self._parting = parting

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what is under way."""
        self._parting()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Finish what is under way; a second SIGINT drops it."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True


def serve(given: Mapping[str, object], host: str | None, port: int) -> None:
    """Serve until told to stop (SIGTERM or SIGINT; what is under way is finished).

    Args:
        given: Flat settings.
        host: Address to listen on, in development a loopback one; None for 127.0.0.1, which browsers of this machine
            find by the name "localhost", too.
        port: Port to listen on.

    Raises:
        Misuse: the settings, the schema or the root secret do not fit, or the port is taken.
        Unavailable: the database cannot be reached.
    """
    logging.config.dictConfig(_LOG)
    world = World()
    values = dict(given)
    is_dev, listens_on = is_development(values), host or _LOOPBACK
    if is_dev and not is_loopback(listens_on):
        raise Misuse(f"--dev listens on loopback only, not on {listens_on}: it shows every mail to everybody")
    if is_dev:
        name = host or DEV_HOST
        values.setdefault("base_url", f"http://{f'[{name}]' if ':' in name else name}:{port}")
    settings = load(RIBS, world, values)
    engine = Engine(settings, RIBS, world, routes=(*health.ROUTES, *home.ROUTES))
    app = Served(engine, greeting(settings))
    config = uvicorn.Config(
        app,
        host=listens_on,
        port=port,
        http=BoundedHttp,
        log_config=None,
        access_log=False,
        lifespan="on",
        # The client's address is counted from trusted proxies by ourselves (L08).
        proxy_headers=False,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=15,
    )
    server = Server(config, engine.core.feed.waiting.close)
    try:
        server.run()  # on uvloop, where there is one: a loop of our own making would be asyncio's
    except SystemExit:
        if app.failure is not None:
            raise app.failure from None
        raise Misuse(f"cannot listen on {listens_on}:{port}: is another server running there?") from None


def greeting(settings: Settings) -> str:
    """What the first start says: where to go, where mail goes, what to back up."""
    engine, mail = settings.of(EngineSettings), settings.of(MailSettings)
    base = settings.of(HttpSettings).base_url
    where = sqlite_path(engine.database)
    kept = f"the file {where}" if where is not None else "your PostgreSQL database"
    if engine.dev:
        secret = f"the root secret {development_path(engine, 'root-secret')}"
        mails = f"{base}/dev/mailbox  (and /dev/mailbox.json, /dev/mails; nothing leaves this machine)"
        if mail.smtp_host is not None:
            mails = f"sent through {mail.smtp_host}"
    else:
        secret, mails = "the root secret (kept apart from it)", f"sent through {mail.smtp_host}"
    lines = [
        f"ostiary is ready on {base}",
        f"  API      {base}/auth/openapi.json",
        f"  mail     {mails}",
        f"  backups  need both: {kept} and {secret}",
    ]
    if engine.dev:
        lines.append("  this is DEVELOPMENT: plain http, every mail is shown to whoever can open this port")
    return os.linesep.join(lines)
