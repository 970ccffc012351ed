"""Owns what is measured, and in which order: all servers run at once and take turns, so that a disturbance of the
machine meets all of them, and the ratios hold when the figures do not.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench import gauges, keys, people, tokens, yardsticks
from bench.load import Job, Load, ask
from bench.report import RESULTS, Flood, Report, Route, keep, spread
from bench.servers import Server, Servers
from bench.statements import count_statements
from tests.support.postgres import PostgresServer

_JSON: Final = {"Content-Type": "application/json"}
_PROBES: Final = 200.0
_MOST_GROWTH: Final = 3.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is done.

    Attributes:
        seconds: Of each route in each round.
        probe: Seconds of each probe of the flood.
        crowd: Connections that sign in at once during the flood, each with an account of its own.
    """

    rounds: int = 5
    seconds: float = 2.0
    probe: float = 5.0
    hashes: int = 20
    imports: int = 5
    crowd: int = 16
    has_postgres: bool = True


QUICK: Final = Plan(1, 0.2, 0.3, 3, 1, 3, has_postgres=False)


class Bench:
    """One run.

    Args:
        plan: How much of it.
        servers: Where they are started.
        report: Where the figures go.
    """

    def __init__(self, plan: Plan, servers: Servers, report: Report) -> None:
        self._plan = plan
        self._servers = servers
        self._report = report
        self._jobs: dict[str, Job] = {}
        self._numbers = 0

    def prepare(self, databases: dict[str, tuple[str, str]]) -> None:
        """Start every server, make the accounts, and say what is asked of whom.

        Args:
            databases: By kind, the URL for the real server and for the one with cheap hashes; "" is a new SQLite file.
        """
        for name in yardsticks.NAMES:
            self._servers.yardstick(name)
        for kind, (url, other) in databases.items():
            self._servers.ostiary(kind.lower(), url)
            self._servers.cheap_hash(f"{kind.lower()}-cheap", other)
        self._servers.wait()
        for name, shown in zip(
            yardsticks.NAMES, ("bare ASGI", "bare Starlette", "bare FastAPI"), strict=True
        ):
            self._route(f"{shown} hello", name, Job(self._servers[name].port, "/"))
        for kind in databases:
            self._ostiary(kind)

    def _ostiary(self, kind: str) -> None:
        real, cheap = self._servers[kind.lower()], self._servers[f"{kind.lower()}-cheap"]
        slow = kind == "PostgreSQL"
        addresses = [f"person{number}@example.com" for number in range(self._plan.crowd + 1)]
        for server in (real, cheap):
            for address in addresses:
                people.sign_up(server.port, address)
        cookie = people.sign_in(real.port, addresses[0])
        self._route(
            f"session check, {kind}", real.name, Job(real.port, "/auth/session", headers={"Cookie": cookie}),
            target=300 if slow else 220,
        )  # fmt: skip
        bodies = [json.dumps(people.credentials(address)) for address in addresses]
        # The first account's sessions belong to the checks: five newer ones would end them.
        # And each account has one connection, since tries at the same time count as failures until they are judged.
        login = Job(0, "/auth/login", "POST", _JSON, bodies[1:], connections=min(8, self._plan.crowd))
        self._route(
            f"sign-in beyond the hash, {kind}", cheap.name, replace(login, port=cheap.port),
            target=2000 if slow else 1500,
        )  # fmt: skip
        self._route(f"sign-in with its hash, {kind}", real.name, replace(login, port=real.port))
        register = json.dumps({"email": "stranger{n}@example.com", "password": people.PASSWORD})
        job = Job(cheap.port, "/auth/register", "POST", _JSON, [register], expected=202)
        self._route(f"registration beyond the hash, with its mail, {kind}", cheap.name, job)

    def _route(self, shown: str, server: str, job: Job, target: float | None = None) -> None:
        self._report.routes.append(Route(shown, server, target))
        self._jobs[shown] = job

    def measure_routes(self) -> None:
        """Every route in turn, and again."""
        for _ in range(self._plan.rounds):
            for route in self._report.routes:
                self._measure(route, self._jobs[route.name], self._servers[route.server])

    def _measure(self, route: Route, job: Job, server: Server) -> None:
        warm = replace(job, seconds=self._plan.seconds / 4, first=self._fresh())
        ask(warm)
        before = gauges.cpu_seconds(server.pid)
        outcome = ask(replace(job, seconds=self._plan.seconds, first=self._fresh()))
        used = gauges.cpu_seconds(server.pid) - before
        route.cpu.append(used / outcome.requests * 1e6)
        route.rate.append(outcome.rate)
        route.p99.append(outcome.p99)
        route.busy.append(outcome.busy)

    def _fresh(self) -> int:
        """A number above every one that was used for an address."""
        self._numbers += 1_000_000
        return self._numbers

    def measure_flood(self, kinds: Iterable[str]) -> None:
        """p99 in peace and under a flood of sign-ins, of ostiary and of an app that has nothing to do with it."""
        for kind in kinds:
            checks = self._jobs[f"session check, {kind}"]
            hello = self._jobs["bare ASGI hello"]
            both = [
                Flood(f"session check, {kind}", target=_MOST_GROWTH),
                Flood(f"bare ASGI app beside it, {kind}"),
            ]
            self._report.floods += both
            for _ in range(self._plan.rounds):
                for flood, job in zip(both, (checks, hello), strict=True):
                    self._probe(flood, job, self._jobs[f"sign-in with its hash, {kind}"])

    def _probe(self, flood: Flood, job: Job, login: Job) -> None:
        probe = replace(job, connections=2, rate=_PROBES, seconds=self._plan.probe)
        ask(replace(probe, seconds=0.2))
        idle = ask(probe)
        settle = min(0.5, self._plan.probe / 2)
        crowd = Load(replace(login, connections=self._plan.crowd, seconds=self._plan.probe + 3 * settle))
        time.sleep(2 * settle)
        flooded = ask(probe)
        self._report.sign_ins.append(crowd.finish().rate)
        flood.idle.append(idle.p99)
        flood.flooded.append(flooded.p99)
        flood.idle_half.append(idle.p50)
        flood.flooded_half.append(flooded.p50)

    def measure_single(self, folder: Path, kinds: Iterable[str], fresh: dict[str, float]) -> None:
        """What is measured once, or by itself."""
        plan, single = self._plan, self._report.single
        hashes = [seconds * 1000 for seconds in gauges.hash_seconds(plan.hashes)]
        single.append(("one password hash with the default argon2id, CPU ms", spread(hashes, 1)))
        for module in ("ostiary", "ostiary.verifier", "ostiary.engine.engine"):
            took = [seconds * 1000 for seconds in gauges.import_seconds(module, plan.imports)]
            single.append((f"`import {module}`, ms", spread(took)))
        single += [(name, spread(took, 1)) for name, took in tokens.verifying(plan.rounds)]
        single += [(name, spread(took, 1)) for name, took in keys.guarding(plan.rounds)]
        for kind in kinds:
            now = gauges.resident_mib(self._servers[kind.lower()].pid)
            single.append((f"memory of `ostiary serve`, {kind}: after its start, MiB", f"{fresh[kind]:.0f}"))
            single.append((f"memory of `ostiary serve`, {kind}: after everything above, MiB", f"{now:.0f}"))
        self._report.counts = count_statements(folder)


def run(plan: Plan, command: str) -> Report:
    """Measure everything."""
    report = Report(
        gauges.Machine.here(), f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", command, plan.rounds, plan.crowd
    )
    watch = gauges.OthersWatch()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ostiary-bench-")))
        databases = {"SQLite": ("", "")}
        if plan.has_postgres:
            postgres = PostgresServer(durable=True)
            stack.callback(postgres.stop)
            postgres.start()
            databases["PostgreSQL"] = (postgres.create_database(), postgres.create_database())
        servers = stack.enter_context(Servers(folder))
        bench = Bench(plan, servers, report)
        bench.prepare(databases)
        fresh = {kind: gauges.resident_mib(servers[kind.lower()].pid) for kind in databases}
        bench.measure_routes()
        bench.measure_flood(databases)
        bench.measure_single(folder, databases, fresh)
    report.others = watch.cores()
    return report


def main() -> None:
    """Measure, print, and with ``--write`` keep."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure what ostiary costs here.")
    parser.add_argument("--quick", action="store_true", help="only see that it runs: SQLite, one short round")
    parser.add_argument(
        "--rounds", type=int, default=Plan().rounds, help="interleaved rounds (default: %(default)s)"
    )
    parser.add_argument("--write", action="store_true", help=f"also write {RESULTS.name}")
    given = parser.parse_args()
    plan = QUICK if given.quick else Plan(rounds=given.rounds)
    words = ["python -m bench", *sys.argv[1:]]
    text = run(plan, " ".join(words)).text()
    print(text, end="")
    if given.write:
        keep(text)


if __name__ == "__main__":
    main()
