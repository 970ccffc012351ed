"""Owns the processes that answer: started on a free loopback port, stopped by their own process id."""

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from bench.load import ROOT
from bench.people import Browser
from tests.support.ports import free_port

_PATIENCE: Final = 60.0
# So many accounts come from one address here that production's limits would end the run; counting them costs the same.
_ENVIRONMENT: Final = {
    "OSTIARY_DEV": "true",
    "OSTIARY_REGISTER_PER_NETWORK": "100000000/h",
}


class Server:
    """One server process.

    Args:
        name: For messages.
        command: With ``{port}`` where the port goes.
        folder: Its log, and whatever it keeps.
        environment: More variables.
        ready: A path that answers once it is ready.
    """

    def __init__(
        self, name: str, command: list[str], folder: Path, environment: dict[str, str], ready: str
    ) -> None:
        self.name = name
        self.port = free_port()
        self._log = (folder / f"{name}.log").open("wb")
        kept = {key: value for key, value in os.environ.items() if not key.startswith("OSTIARY_")}
        self._process = subprocess.Popen(
            [word.replace("{port}", str(self.port)) for word in command],
            cwd=ROOT, env=kept | environment, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
        )  # fmt: skip
        self._ready = ready

    @property
    def pid(self) -> int:
        """The process that serves."""
        return self._process.pid

    def wait(self) -> None:
        """Until it answers.

        Raises:
            RuntimeError: it does not, and its log says why.
        """
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                Browser(self.port).get(self._ready)
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError(
            f"{self.name} did not start:\n{Path(self._log.name).read_text(errors='replace')[-3000:]}"
        )

    def stop(self) -> None:
        """End it and wait for its end."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


class Servers:
    """The servers of a run; all are stopped at the end.

    Args:
        folder: For their logs and files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._all: dict[str, Server] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def __getitem__(self, name: str) -> Server:
        return self._all[name]

    def _start(self, name: str, command: list[str], environment: dict[str, str], ready: str) -> Server:
        server = Server(name, command, self._folder, environment, ready)
        self._stack.callback(server.stop)
        self._all[name] = server
        return server

    def yardstick(self, name: str) -> Server:
        """One of `yardsticks.NAMES`."""
        return self._start(name, [sys.executable, "-m", "bench.yardsticks", name, "{port}"], {}, "/")

    def ostiary(self, name: str, database: str, **settings: str) -> Server:
        """The real `ostiary serve`, with its defaults.

        Args:
            database: Its URL; "" for SQLite in a folder of its own.
        """
        program = str(Path(sys.executable).with_name("ostiary"))
        return self._start(
            name,
            [program, "serve", "--port", "{port}"],
            self._environment(name, database, settings),
            "/healthz",
        )

    def cheap_hash(self, name: str, database: str) -> Server:
        """The server of `cheap_hash`."""
        command = [sys.executable, "-m", "bench.cheap_hash", "{port}"]
        return self._start(name, command, self._environment(name, database, {}), "/auth/openapi.json")

    def host(self, name: str) -> Server:
        """One of `hosts.HOSTS`, on SQLite."""
        command = [sys.executable, "-m", "bench.hosts", name, "{port}"]
        return self._start(name, command, self._environment(name, "", {}), "/bare")

    def _environment(self, name: str, database: str, settings: dict[str, str]) -> dict[str, str]:
        data = self._folder / name
        data.mkdir(mode=0o700)
        given = {"OSTIARY_DATA": str(data)} | ({"OSTIARY_DATABASE": database} if database else {})
        return _ENVIRONMENT | given | {f"OSTIARY_{key.upper()}": value for key, value in settings.items()}

    def wait(self) -> None:
        """Until every one of them answers."""
        for server in self._all.values():
            server.wait()
