"""Owns what taking tokens back costs: exchanging refresh tokens, and the revocation feed with many entries in force.

One real server on each database. Refreshing is a chain, so each connection has a family of its own and sends the token
that it was given last. The feed's entries are written straight into the table; what is timed goes through HTTP.
"""

import argparse
import base64
import http.client
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

import psycopg

from bench import gauges, people
from bench.load import ROOT
from bench.report import REVOKING, keep, spread
from bench.servers import Server, Servers
from ostiary.kernel.world import first_id
from tests.support.postgres import PostgresServer

_FAMILIES: Final = 8
_COLUMNS: Final = "id, kind, mark, version, until"
_VERIFIER: Final = """
import sys, time
from pathlib import Path
from ostiary.verifier import SyncVerifier

def resident():
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024

before = resident()
begun = time.perf_counter()
with SyncVerifier(sys.argv[1], "anybody") as verifier:
    while verifier.state.revoked < int(sys.argv[2]):
        time.sleep(0.005)
    print(time.perf_counter() - begun, resident() - before)
"""


_WATCHER: Final = """
import sys, time
from ostiary.verifier import SyncVerifier, TokenRefused

with SyncVerifier(sys.argv[1], sys.argv[1]) as verifier:
    for line in sys.stdin:
        verifier.verify(line.strip())
        print("good", flush=True)
        while True:
            try:
                verifier.verify(line.strip())
            except TokenRefused:
                print(time.time(), flush=True)
                break
            time.sleep(0.0005)
"""


@dataclass(slots=True)
class Figures:
    """What was measured on one database; times in milliseconds, CPU in microseconds, memory in MiB."""

    refresh_cpu: list[float] = field(default_factory=list)
    refresh_rate: list[float] = field(default_factory=list)
    reading: list[float] = field(default_factory=list)
    reading_cpu: list[float] = field(default_factory=list)
    server_grew: list[float] = field(default_factory=list)
    verifier_ready: list[float] = field(default_factory=list)
    verifier_grew: list[float] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)


class Talk:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> bytes:
        """Send a request.

        Raises:
            RuntimeError: the answer is no success.
        """
        sent = {"Content-Type": "application/json"} if body is not None else {}
        self._connection.request(
            method, path, None if body is None else json.dumps(body), sent | (headers or {})
        )
        answer = self._connection.getresponse()
        read = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {read.decode(errors='replace')}")
        return read


class Watcher:
    """A service in a process of its own that judges one token again and again, until it is refused."""

    def __init__(self, port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WATCHER, f"http://127.0.0.1:{port}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate(timeout=30)

    def begin(self, token: str) -> None:
        """Hand it a token; returns when it was found good."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{token}\n")
        self._process.stdin.flush()
        if self._said() != "good":
            raise RuntimeError("the verifier did not take the token")

    def refused_at(self) -> float:
        """Wait until it is refused; the moment on the system's clock."""
        return float(self._said())

    def _said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


class Chain:
    """One refresh family and the connection that walks along it."""

    def __init__(self, port: int, address: str) -> None:
        self._talk = Talk(port)
        self._token = _pair(self._talk, address)["refresh_token"]

    def walk(self, until: float) -> int:
        """Exchange until a moment of the monotonic clock; how often that was."""
        count = 0
        while time.monotonic() < until:
            answer = self._talk.ask("POST", "/auth/refresh", {"refresh_token": self._token})
            self._token = json.loads(answer)["refresh_token"]
            count += 1
        return count


def _pair(talk: Talk, address: str) -> dict[str, Any]:
    body = people.credentials(address) | {"delivery": "tokens"}
    answer: dict[str, Any] = json.loads(talk.ask("POST", "/auth/login", body))
    return answer


def refreshing(server: Server, figures: Figures, addresses: list[str], rounds: int, seconds: float) -> None:
    """Several families at once, each as fast as its answers come."""
    chains = [Chain(server.port, address) for address in addresses[:_FAMILIES]]
    with ThreadPoolExecutor(len(chains)) as pool:
        for number in range(rounds + 1):
            before, begun = gauges.cpu_seconds(server.pid), time.monotonic()
            counts = list(pool.map(lambda chain, end=begun + seconds: chain.walk(end), chains))
            used, took = gauges.cpu_seconds(server.pid) - before, time.monotonic() - begun
            if number:  # the first round warms up
                figures.refresh_cpu.append(used / sum(counts) * 1e6)
                figures.refresh_rate.append(sum(counts) / took)


def pages(talk: Talk) -> Iterator[dict[str, Any]]:
    """The whole feed."""
    after = ""
    while True:
        told = talk.ask("GET", f"/auth/revocations?after={quote(after)}").split(b".")[1]
        page: dict[str, Any] = json.loads(base64.urlsafe_b64decode(told + b"=" * (-len(told) % 4)))
        yield page
        if not page["more"]:
            return
        after = page["next"]


def rows(entries: int) -> Iterator[tuple[str, str, str, None, int]]:
    """Sessions that ended some minutes ago, one each millisecond."""
    now = datetime.now(UTC)
    until = int((now + timedelta(hours=2)).timestamp() * 1e6)
    first = now - timedelta(minutes=5, milliseconds=entries)
    for number in range(entries):
        mark = base64.urlsafe_b64encode(number.to_bytes(32)).rstrip(b"=").decode()
        yield first_id(first + timedelta(milliseconds=number)), "session", mark, None, until


def fill(url: str, entries: int) -> None:
    """Write them."""
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30) as file:
            file.executemany(
                "INSERT INTO revocation (id, kind, mark, version, until) VALUES (?,?,?,?,?)", rows(entries)
            )
        file.close()
        return
    asked = f"COPY revocation ({_COLUMNS}) FROM STDIN"
    with psycopg.connect(url) as connection, connection.cursor() as cursor, cursor.copy(asked) as copy:
        for row in rows(entries):
            copy.write_row(row)


def following(server: Server, figures: Figures, addresses: list[str], url: str, entries: int) -> None:
    """What a full reading costs both sides, and how long an end of a session takes to be told."""
    grown = gauges.resident_mib(server.pid)
    fill(url, entries)
    talk = Talk(server.port)
    for _ in range(3):
        before, begun, count = gauges.cpu_seconds(server.pid), time.perf_counter(), 0
        for page in pages(talk):
            count += len(page["entries"])
        figures.reading.append((time.perf_counter() - begun) * 1e3)
        figures.reading_cpu.append((gauges.cpu_seconds(server.pid) - before) / count * 1e6)
        if count < entries:
            raise RuntimeError(f"the feed told {count} of {entries} entries")
    figures.server_grew.append(gauges.resident_mib(server.pid) - grown)
    done = subprocess.run(
        [sys.executable, "-c", _VERIFIER, f"http://127.0.0.1:{server.port}", str(entries)],
        capture_output=True, text=True, check=True, cwd=ROOT, timeout=120,
    )  # fmt: skip
    seconds, grew = map(float, done.stdout.split())
    figures.verifier_ready.append(seconds * 1e3)
    figures.verifier_grew.append(grew)
    with Watcher(server.port) as watcher:
        for address in addresses:
            leaving = Talk(server.port)
            access = _pair(leaving, address)["access_token"]
            watcher.begin(access)
            leaving.ask("POST", "/auth/logout", headers={"Authorization": f"Bearer {access}"})
            ended = time.time()
            figures.delays.append((watcher.refused_at() - ended) * 1e3)


def measure(plan: argparse.Namespace) -> dict[str, Figures]:
    """Everything, by database."""
    found: dict[str, Figures] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ostiary-bench-")))
        urls = {"SQLite": f"sqlite:///{folder / 'revoking.db'}"}
        if not plan.quick:
            postgres = PostgresServer(durable=True)
            stack.callback(postgres.stop)
            postgres.start()
            urls["PostgreSQL"] = postgres.create_database()
        servers = stack.enter_context(Servers(folder))
        for kind, url in urls.items():
            servers.ostiary(kind.lower(), url)
        servers.wait()
        addresses = [f"person{number}@example.com" for number in range(max(_FAMILIES, plan.delays))]
        for kind, url in urls.items():
            server, figures = servers[kind.lower()], Figures()
            for address in addresses:
                people.sign_up(server.port, address)
            refreshing(server, figures, addresses, plan.rounds, plan.seconds)
            following(server, figures, addresses[: plan.delays], url, plan.entries)
            found[kind] = figures
    return found


def text(plan: argparse.Namespace, command: str, found: dict[str, Figures], others: float) -> str:
    """The section of the results."""
    machine = gauges.Machine.here()
    how = (
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by `{command}` on {machine.cores} cores, {machine.processor},"
        f" {machine.interpreter}; the median and, in brackets, the least and the most. Others kept {others:.2f} of"
        f" {machine.cores} cores busy meanwhile. {_FAMILIES} families refresh at once; the feed holds {plan.entries}"
        " entries in force. The last row is the time from the answer to `POST /auth/logout` until a verifier in another"
        f" process refuses the token, {plan.delays} times."
    )
    table = [
        "| what | " + " | ".join(found) + " |",
        "|---|" + "---:|" * len(found),
        *(
            f"| {name} | {' | '.join(spread(getattr(figures, part), digits) for figures in found.values())} |"
            for name, part, digits in (
                ("a refresh, CPU µs of the server (target ≤ 1000)", "refresh_cpu", 0),
                ("refreshes a second, client and server on the same cores", "refresh_rate", 0),
                ("reading the whole feed, ms", "reading", 0),
                ("an entry of it, CPU µs of the server", "reading_cpu", 1),
                ("memory that the server grew by, MiB", "server_grew", 1),
                ("a new verifier knows all of it after, ms", "verifier_ready", 0),
                ("memory that the verifier grew by, MiB", "verifier_grew", 1),
                ("a verifier refuses the token of an ended session after, ms", "delays", 1),
            )
        ),
    ]
    return "\n".join([REVOKING, "", how, "", *table, ""])


def main() -> None:
    """Measure, print, and with ``--write`` keep."""
    parser = argparse.ArgumentParser(prog="python -m bench.revoking", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="only see that it runs: SQLite, few of everything"
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds of refreshing (default: %(default)s)")
    parser.add_argument("--entries", type=int, default=100_000, help="of the feed (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="also write RESULTS.md")
    plan = parser.parse_args()
    plan.seconds, plan.delays = (0.5, 2) if plan.quick else (3.0, 20)
    if plan.quick:
        plan.rounds, plan.entries = 1, 2500
    watch = gauges.OthersWatch()
    found = measure(plan)
    said = text(plan, " ".join(["python -m bench.revoking", *sys.argv[1:]]), found, watch.cores())
    print(said, end="")
    if plan.write:
        keep(said, REVOKING)


if __name__ == "__main__":
    main()
