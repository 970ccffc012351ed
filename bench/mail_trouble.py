"""Owns one comparison: asking for a new password while the mail server works, and while it stalls.

Two real servers run at once on each database and take turns, in an order that turns round with each round. Their mail
servers are threads of this process, so that what they cost is not counted as ostiary's.
"""

import argparse
import json
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from aiosmtpd.controller import Controller

from bench import gauges, people
from bench.load import Job, ask
from bench.report import STALLED, keep, spread
from bench.servers import Server, Servers
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.server import production

# As a proxy in front of it sends them.
_HEADERS: Final = {
    "Content-Type": "application/json", "X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.9",
}  # fmt: skip
_CONNECTIONS: Final = 8
_WITHOUT_LIMITS: Final = dict.fromkeys(
    ("register_per_network", "reset_per_network", "reset_per_address"), "100000000/h"
)


class Sink:
    """A mail server that takes everything and counts it."""

    def __init__(self) -> None:
        self.taken = 0

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # noqa: N802
        """Take a mail."""
        self.taken += 1
        return "250 OK"


class Stall:
    """A mail server that answers the telephone and says nothing."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.kept: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                self.kept.append(self._listener.accept()[0])
            except OSError:
                return

    def close(self) -> None:
        """Hang up."""
        for one in (self._listener, *self.kept):
            one.close()


@dataclass(slots=True)
class Side:
    """One server with its mail server, and what was measured of it, a value per round."""

    name: str
    server: Server
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def measure(self, job: Job) -> None:
        """One round."""
        mine = replace(job, port=self.server.port)
        ask(replace(mine, seconds=job.seconds / 4))
        before = gauges.cpu_seconds(self.server.pid)
        outcome = ask(mine)
        self.cpu.append((gauges.cpu_seconds(self.server.pid) - before) / outcome.requests * 1e6)
        self.p50.append(outcome.p50)
        self.p99.append(outcome.p99)


@contextmanager
def mail_servers() -> Iterator[tuple[int, int, Sink, Stall]]:
    """A good one and one that stalls, with their ports."""
    sink, stall, port = Sink(), Stall(), free_port()
    controller = Controller(sink, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield port, stall.port, sink, stall
    finally:
        controller.stop()
        stall.close()


def measure(rounds: int, seconds: float, rate: float, *, has_postgres: bool) -> list[str]:
    """Everything; as rows of a table, and the sentences below it.

    Raises:
        RuntimeError: the good server took no mails, or nobody called the one that stalls: nothing was compared.
    """
    job = Job(
        0, "/auth/password/forgot", "POST", _HEADERS, _bodies(), _CONNECTIONS, seconds, rate, expected=202
    )
    sides: dict[str, tuple[Side, Side]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ostiary-bench-")))
        good, bad, sink, stall = stack.enter_context(mail_servers())
        databases = {"SQLite": [f"sqlite:///{folder / name}.db" for name in ("good", "bad")]}
        if has_postgres:
            postgres = PostgresServer(durable=True)
            stack.callback(postgres.stop)
            postgres.start()
            databases["PostgreSQL"] = [postgres.create_database(), postgres.create_database()]
        servers = stack.enter_context(Servers(folder))
        for kind, urls in databases.items():
            made = [
                servers.ostiary(f"{kind.lower()}-{port}", url, **_settings(port))
                for url, port in zip(urls, (good, bad), strict=True)
            ]
            sides[kind] = Side(f"{kind}, mails leave", made[0]), Side(f"{kind}, it stalls", made[1])
        servers.wait()
        for pair in sides.values():
            for side in pair:
                _register(side.server.port)
        for number in range(rounds):
            for pair in sides.values():
                for side in pair if number % 2 == 0 else reversed(pair):
                    side.measure(job)
        if not sink.taken or not stall.kept:
            raise RuntimeError(f"{sink.taken} mails left, {len(stall.kept)} connections stalled")
    return _rows(sides)


def _bodies() -> list[str]:
    return [json.dumps({"email": f"person{number}@example.com"}) for number in range(_CONNECTIONS)]


def _settings(port: int) -> dict[str, str]:
    given: dict[str, Any] = {
        **production(port),
        "dev": False,
        "auto_migrate": True,
        "trusted_proxies": 1,
        **_WITHOUT_LIMITS,
    }
    return {name: str(value) for name, value in given.items()}


def _register(port: int) -> None:
    """Somebody for every connection. They wait for their proof, and so get a mail whenever one is asked for."""
    for body in _bodies():
        given = json.loads(body) | {"password": people.PASSWORD}
        people.Browser(port).post("/auth/register", given, _HEADERS)


def _rows(sides: dict[str, tuple[Side, Side]]) -> list[str]:
    lines = [
        "| server | p50 ms | p99 ms | CPU µs per request | p50 × | p99 × |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for good, bad in sides.values():
        for side in (good, bad):
            times = [
                spread([hot / cold for hot, cold in zip(ours, theirs, strict=True)], 2) if side is bad else ""
                for ours, theirs in ((bad.p50, good.p50), (bad.p99, good.p99))
            ]
            cells = [side.name, spread(side.p50, 2), spread(side.p99, 2), spread(side.cpu), *times]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def text(rounds: int, rate: float, command: str, rows: list[str], others: float) -> str:
    """The section of the results."""
    machine = gauges.Machine.here()
    date = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    how = (
        f"Measured {date} by `{command}` on {machine.cores} cores, {machine.processor}, {machine.interpreter}:"
        f" {rounds} round(s); the median and, in brackets, the least and the most. Others kept {others:.2f} of"
        f" {machine.cores} cores busy meanwhile."
    )
    what = (
        f"{_CONNECTIONS} connections send `POST /auth/password/forgot` {rate:.0f} times a second in all, each for an"
        " address that gets the mail. One mail server takes it; the other accepts connections and never says a word, so"
        " all of the worker's places hang and the outbox grows. CPU is that of the server's process: where mails leave,"
        " writing and sending them is in it. × compares with the good mail server, round by round."
    )
    return "\n".join([STALLED, "", how, "", what, "", *rows, ""])


def main() -> None:
    """Measure, print, and with ``--write`` keep."""
    parser = argparse.ArgumentParser(prog="python -m bench.mail_trouble", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only see that it runs: SQLite, one short round")
    parser.add_argument("--rounds", type=int, default=5, help="paired rounds (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="also write RESULTS.md")
    given = parser.parse_args()
    rounds, seconds, rate = (1, 0.5, 40.0) if given.quick else (given.rounds, 6.0, 60.0)
    watch = gauges.OthersWatch()
    rows = measure(rounds, seconds, rate, has_postgres=not given.quick)
    command = " ".join(["python -m bench.mail_trouble", *sys.argv[1:]])
    said = text(rounds, rate, command, rows, watch.cores())
    print(said, end="")
    if given.write:
        keep(said, STALLED)


if __name__ == "__main__":
    main()
