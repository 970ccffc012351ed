"""Owns what guards on a host's routes cost, and what deciding costs: one question, and which of many rows.

Each framework serves a bare route and guarded ones from one process. What a guard must do anyway – hash the cookie or
judge the token, and one query – is measured by itself in this process; the rest is the guard's own.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from bench import gauges, people
from bench.hosts import HOSTS
from bench.load import Job, ask
from bench.report import GUARDS, keep, spread
from bench.servers import Server, Servers
from ostiary.core.access.authority import Declared, Standing
from ostiary.core.access.decide import Grant, Holder
from ostiary.core.access.expression import principal, row
from ostiary.core.access.policy import Policy
from ostiary.core.access.roles import Role
from ostiary.testing import running
from ostiary.testing.kit import PASSWORD
from tests.support.postgres import PostgresServer

_ANNA: Final = "anna@example.com"
_ROUTES: Final = ("/bare", "/user", "/may")
_QUERIES: Final = {"/user": (), "/may": ("standing",)}
_NOTES: Final = sa.Table(
    "bench_notes",
    sa.MetaData(),
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("author_id", sa.Text, nullable=False, index=True),
    sa.Column("is_public", sa.Integer, nullable=False, index=True),
)
_DECLARED: Final = Declared(
    roles=(Role("staff", ("reports:*",)),),
    policies=(
        Policy(
            "notes:read", (row.author_id == principal.id) | (row.is_public == 1), "one's own, and public ones"
        ),
    ),
)
_MOST_CHUNK: Final = 10_000


@dataclass(slots=True)
class Figures:
    """CPU in microseconds, times in milliseconds; each list has a value per round."""

    routes: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    least: dict[str, list[float]] = field(default_factory=dict)
    questions: dict[str, list[float]] = field(default_factory=dict)
    rows: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    visible: int = 0


def _credentials(server: Server) -> dict[str, dict[str, str]]:
    """Headers of a cookie and of a token of one account."""
    people.sign_up(server.port, _ANNA)
    pair = people.Browser(server.port).post("/auth/login", people.credentials(_ANNA) | {"delivery": "tokens"})
    return {
        "cookie": {"Cookie": people.sign_in(server.port, _ANNA)},
        "token": {"Authorization": f"Bearer {json.loads(pair.body)['access_token']}"},
    }


def routes(servers: Servers, figures: Figures, plan: argparse.Namespace) -> None:
    """Every route of every framework in turn, and again."""
    jobs: dict[tuple[str, str], tuple[Server, Job]] = {}
    for name in HOSTS:
        server = servers[name]
        for kind, headers in _credentials(server).items():
            for path in _ROUTES:
                jobs[name, f"{path} by {kind}"] = server, Job(server.port, path, headers=headers)
    for _ in range(plan.rounds):
        for key, (server, job) in jobs.items():
            ask(replace(job, seconds=plan.seconds / 4))
            before = gauges.tree_cpu_seconds(server.pid)
            outcome = ask(replace(job, seconds=plan.seconds))
            used = gauges.tree_cpu_seconds(server.pid) - before
            figures.routes.setdefault(key, []).append(used / outcome.requests * 1e6)


async def _each(work: Callable[[], Awaitable[object]], times: int) -> float:
    before = time.process_time()
    for _ in range(times):
        await work()
    return (time.process_time() - before) / times * 1e6


async def in_process(folder: Path, url: str, kind: str, figures: Figures, plan: argparse.Namespace) -> None:
    """What is measured without a server: the least that a guard does, single questions, and many rows."""
    async with running(folder, database=url, declared=_DECLARED) as kit:
        browser = await kit.signed_in(_ANNA)
        core = kit.engine.core
        if kind == "SQLite":
            cookie = browser.cookies[kit.engine.app.edge.cookies.session]
            body = {"identifier": _ANNA, "password": PASSWORD, "delivery": "tokens"}
            token = (await kit.browser().post("/auth/login", json=body)).json()["access_token"]
            resolved = await core.sessions.resolve(cookie)
            works: dict[str, Callable[[], Awaitable[object]]] = {
                "cookie": lambda: core.sessions.resolve(cookie),
                "token": lambda: core.tokens.resolve(token),
                "standing": lambda: core.authority.standing(core.database, resolved.principal),
            }
            for _ in range(plan.rounds):
                for name, work in works.items():
                    figures.least.setdefault(name, []).append(await _each(work, plan.times))
        standing = await core.authority.standing(core.database, None)
        await asyncio.to_thread(_rows, url, kind, replace(standing, holder=_holder()), figures, plan)
        if kind == "SQLite":
            _questions(replace(standing, holder=_holder(Grant("staff"))), figures, plan)


def _holder(*grants: Grant) -> Holder:
    return Holder("author-7", grants)


def _questions(standing: Standing, figures: Figures, plan: argparse.Namespace) -> None:
    own = {"id": 1, "author_id": "author-7", "is_public": 0}
    asked: dict[str, tuple[str, dict[str, Any] | None, bool]] = {
        "a permission that a role grants": ("reports:read", None, True),
        "one that nothing grants": ("users:read", None, False),
        "a thing that a policy allows": ("notes:read", own, True),
        "a thing that nothing allows": ("notes:read", own | {"author_id": "author-8"}, False),
    }
    for _ in range(plan.rounds):
        for name, (words, thing, expected) in asked.items():
            before = time.process_time()
            for _ in range(plan.times):
                if standing.check(words, thing) is not expected:
                    raise RuntimeError(f"{name}: the answer is wrong")
            took = (time.process_time() - before) / plan.times * 1e6
            figures.questions.setdefault(name, []).append(took)


def _rows(url: str, kind: str, standing: Standing, figures: Figures, plan: argparse.Namespace) -> None:
    """Which rows may be read: one condition for the database, beside one question for each row."""
    host = url.replace("ostiary.db", "host.db").replace("postgresql://", "postgresql+psycopg://")
    engine = sa.create_engine(host)
    _NOTES.metadata.create_all(engine)
    with engine.begin() as connection:
        for first in range(0, plan.rows, _MOST_CHUNK):
            made = [
                {"id": number, "author_id": f"author-{number % 200}", "is_public": int(number % 500 == 0)}
                for number in range(first, min(first + _MOST_CHUNK, plan.rows))
            ]
            connection.execute(sa.insert(_NOTES), made)
        if kind == "PostgreSQL":
            connection.execute(sa.text("ANALYZE bench_notes"))
    with engine.connect() as connection:
        for _ in range(plan.rounds):
            begun = time.perf_counter()
            filtered = connection.execute(
                sa.select(_NOTES.c.id).where(standing.where("notes:read", _NOTES)).order_by(_NOTES.c.id)
            ).scalars().all()  # fmt: skip
            figures.rows.setdefault((kind, "where"), []).append((time.perf_counter() - begun) * 1e3)
            begun = time.perf_counter()
            every = connection.execute(sa.select(_NOTES).order_by(_NOTES.c.id)).mappings().all()
            checked = [one["id"] for one in every if standing.check("notes:read", one)]
            figures.rows.setdefault((kind, "row by row"), []).append((time.perf_counter() - begun) * 1e3)
            if filtered != checked or not checked:
                raise RuntimeError("the two ways do not agree")
            figures.visible = len(checked)
    engine.dispose()


def measure(plan: argparse.Namespace) -> Figures:
    """Everything."""
    figures = Figures()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ostiary-bench-")))
        urls = {"SQLite": f"sqlite:///{folder / 'ostiary.db'}"}
        if not plan.quick:
            postgres = PostgresServer(durable=True)
            stack.callback(postgres.stop)
            postgres.start()
            urls["PostgreSQL"] = postgres.create_database()
        with Servers(folder) as servers:
            for name in HOSTS:
                servers.host(name)
            servers.wait()
            routes(servers, figures, plan)
        for kind, url in urls.items():
            asyncio.run(in_process(folder, url, kind, figures, plan))
    return figures


def _least(figures: Figures, path: str, kind: str) -> list[float]:
    """The crypto and the queries that a guard cannot do without, round by round."""
    parts = [figures.least[kind], *(figures.least[name] for name in _QUERIES[path])]
    return [sum(one) for one in zip(*parts, strict=True)]


def text(plan: argparse.Namespace, command: str, figures: Figures, others: float) -> str:
    """The section of the results."""
    machine = gauges.Machine.here()
    how = (
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by `{command}` on {machine.cores} cores, {machine.processor},"
        f" {machine.interpreter}: {plan.rounds} round(s); the median and, in brackets, the least and the most. Others"
        f" kept {others:.2f} of {machine.cores} cores busy meanwhile. SQLite unless said otherwise. `/user` asks for a"
        " session, `/may` for a permission that the default role grants, which is one more query. The last column is"
        " what the guard itself costs; the bare route is sent the same headers. uvicorn serves ASGI; gunicorn, with one"
        " process and eight threads, WSGI. CPU is that of the server's processes."
    )
    lines = [
        GUARDS, "", how, "",
        "| route | bare, CPU µs | guarded | crypto and queries | the guard's own |", "|---|---:|---:|---:|---:|",
    ]  # fmt: skip
    for (name, route), cpu in figures.routes.items():
        path, _, kind = route.partition(" by ")
        if path == "/bare":
            continue
        bare, least = figures.routes[name, f"/bare by {kind}"], _least(figures, path, kind)
        own = [one - two - three for one, two, three in zip(cpu, bare, least, strict=True)]
        lines.append(
            f"| {name}: {route} | {spread(bare)} | {spread(cpu)} | {spread(least)} | {spread(own)} |"
        )
    lines += ["", "| `check`, once the standing is known | CPU µs |", "|---|---:|"]
    lines += [f"| {name} | {spread(took, 1)} |" for name, took in figures.questions.items()]
    lines += ["", f"| which {figures.visible} of {plan.rows} rows may be read | ms |", "|---|---:|"]
    for (kind, way), took in figures.rows.items():
        shown = "`where`, one query" if way == "where" else "every row loaded and checked"
        lines.append(f"| {kind}: {shown} | {spread(took, 1)} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure, print, and with ``--write`` keep."""
    parser = argparse.ArgumentParser(prog="python -m bench.guards", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="only see that it runs: SQLite, few of everything"
    )
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="also write RESULTS.md")
    plan = parser.parse_args()
    plan.seconds, plan.times, plan.rows = (0.2, 50, 2000) if plan.quick else (1.5, 3000, 100_000)
    if plan.quick:
        plan.rounds = 1
    watch = gauges.OthersWatch()
    figures = measure(plan)
    said = text(plan, " ".join(["python -m bench.guards", *sys.argv[1:]]), figures, watch.cores())
    print(said, end="")
    if plan.write:
        keep(said, GUARDS)


if __name__ == "__main__":
    main()
