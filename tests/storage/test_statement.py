"""Statements: what is refused when they are compiled, and that each declared one runs and is served by an index."""

import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import bindparam

import ostiary.engine.features
from ostiary.kernel.errors import Misuse
from ostiary.storage import migrate
from ostiary.storage.connect import sqlite_path
from ostiary.storage.database import Conflict, Database
from ostiary.storage.statement import ALL, DIALECTS, Query, command, compile_all
from tests.storage.shelf import book, opened, plain_engine
from tests.support.tree import module_name, sources

for store in [path for path in sources() if path.stem == "store"]:
    import_module(module_name(store))
assert ostiary.engine.features.RIBS

DECLARED = {name: query for name, query in ALL.items() if not name.startswith("test.")}

# Statements that may read a whole table, and why.
WHOLE = {
    "keys.load": "the ring has a few dozen rows and is read at start",
    "keys.any": "asks for one row of the same table, so that the probe costs nothing",
    "journal.latest": "walks the primary key backwards and stops at its limit",
    "outbox.latest": "the same, for operators",
    "claims.find": "begins at one row made of a constant, so that it answers whatever there is; then by index",
    "access.held": "begins at one row made of a constant; then by the account's id",
    "access.version": "reads the one row of its table, or none",
    "access.defined": "a handful of roles, read at start and when one of them has changed",
    "risk.begun": "walks the twenty rows that each of its halves has found by index",
    "signing.load": "a handful of keys, read at start and when one of them has changed",
}


WITH_DEFAULT = sa.Table(
    "with_default", sa.MetaData(), sa.Column("id", sa.Text), sa.Column("x", sa.Text, default=lambda: "made")
)


class _Undo(Exception):
    """Rolls a transaction back."""


def odd(name: str, clause: Any) -> Query[Any]:
    """A statement that is forgotten again, so that `compile_all` does not meet it."""
    query: Query[Any] = Query(f"test.odd.{name}", clause)
    del ALL[query.name]
    return query


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@pytest.mark.parametrize(
    ("name", "clause", "says"),
    [
        (
            "expanding",
            sa.select(book.c.id).where(book.c.id.in_(bindparam("ids", expanding=True))),
            "expanding IN",
        ),
        ("a list", sa.select(book.c.id).where(book.c.id.in_(["a", "b"])), "expanding IN"),
        (
            "default",
            sa.insert(WITH_DEFAULT).values(id=bindparam("id")),
            "Python-side default",
        ),
        ("moment", sa.select(sa.literal(None, sa.DateTime(timezone=True))), "not plain"),
        ("uuid", sa.select(bindparam("id", type_=sa.Uuid)), "not plain"),
        ("json", sa.select(bindparam("id", type_=sa.JSON)), "not plain"),
    ],
)
def test_what_needs_work_at_execution_is_refused(dialect: str, name: str, clause: Any, says: str) -> None:
    """Expanding `IN`, Python-side defaults and types that differ between databases are `Misuse`, by name."""
    with pytest.raises(Misuse, match=says) as caught:
        odd(name, clause).on(dialect)
    assert f"test.odd.{name}" in str(caught.value)


def test_names_are_unique() -> None:
    """Two statements of one name would make traces and counts lie."""
    with pytest.raises(Misuse, match=r"two statements are named 'keys\.load'"):
        command("keys.load", sa.select(book.c.id))


def test_a_command_has_no_rows() -> None:
    """Reading rows from a statement that declares none is a mistake, not None."""
    with pytest.raises(Misuse, match="returns no rows"):
        odd("command", sa.select(book.c.id)).row(("x",))


def test_a_constant_travels_beside_the_arguments() -> None:
    """Literals of the statement keep their place among the caller's values."""
    query = odd(
        "constants", sa.select(book.c.id).where(book.c.title == "fixed", book.c.id == bindparam("id"))
    )
    for dialect in DIALECTS:
        assert query.on(dialect).arguments({"id": "x"}) == ["fixed", "x"]


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_every_declared_statement_compiles(dialect: str) -> None:
    """All of them, on both databases, as at every start."""
    assert compile_all(dialect) >= len(DECLARED) > 40


def test_every_row_fits_its_result() -> None:
    """What a statement selects or returns is as wide as what is made of it."""
    for query in DECLARED.values():
        if query.into in (None, str, int):
            continue
        clause: Any = query.clause
        columns = clause.selected_columns if isinstance(clause, sa.Select) else clause.exported_columns
        inspect.signature(query.into).bind(*columns)


def dummies(query: Query[Any], dialect: str) -> dict[str, Any]:
    """One argument of the right kind for each that a statement asks for."""
    clause: Any = query.clause
    binds = clause.compile(dialect=DIALECTS[dialect]).binds
    made: dict[str, Any] = {}
    for name, _ in query.on(dialect).slots:
        if name is None:
            continue
        kind = binds[name].type
        if isinstance(kind, sa.LargeBinary):
            made[name] = b"\0dummy " + name.encode()
        elif isinstance(kind, sa.Integer):
            made[name] = 3
        else:
            assert isinstance(kind, sa.Text), f"{query.name}: argument {name!r} has no type"
            made[name] = f"dummy {name}"
    return made


@pytest.fixture(scope="module")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A migrated SQLite file."""
    return f"sqlite:///{tmp_path_factory.mktemp('statements') / 'ostiary.db'}"


@pytest.fixture(scope="module")
def migrated_postgres(postgres: Any) -> Iterator[str]:
    """A migrated PostgreSQL database."""
    url: str = postgres.create_database()
    yield url
    postgres.drop_database(url)


@pytest.fixture(params=["sqlite", "postgres"])
async def migrated(request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, Database]]:
    """The URL of a migrated database and an executor on it."""
    url: str = request.getfixturevalue(f"migrated_{request.param}")
    migrate.upgrade(url)
    async with opened(url) as database:
        yield url, database


async def test_every_declared_statement_runs(migrated: tuple[str, Database]) -> None:
    """Each is executed on a real database and rolled back, so that no type mismatch waits for a customer."""
    _, database = migrated
    ran = 0
    for query in DECLARED.values():
        arguments = dummies(query, database.dialect)
        for run in ("run",) if query.into is None else ("all", "one", "run"):
            with pytest.raises((_Undo, Conflict)):  # noqa: PT012 – what the transaction does on leaving is the subject
                async with database.transaction() as tx:
                    await getattr(tx, run)(query, **arguments)
                    raise _Undo
            ran += 1
    assert ran > len(DECLARED)


def sqlite_scans(url: str, query: Query[Any]) -> list[str]:
    """The tables of ours that SQLite would read as a whole."""
    path: Path | None = sqlite_path(url)
    assert path is not None
    engine = plain_engine(url)
    with closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        arguments = query.on("sqlite").arguments(dummies(query, "sqlite"))
        cursor.execute(f"EXPLAIN QUERY PLAN {query.on('sqlite').sql}", arguments)
        plan = [row[3] for row in cursor.fetchall()]
    engine.dispose()
    return [
        step
        for step in plan
        if step.startswith("SCAN ") and "CONSTANT ROW" not in step and step.split()[1] != "chosen"
    ]


def postgres_scans(node: dict[str, Any]) -> list[str]:
    """The tables of ours that PostgreSQL would read as a whole although it is told to avoid that."""
    kind = node["Node Type"]
    found: list[str] = []
    if kind == "Seq Scan" or (kind in {"Index Scan", "Index Only Scan"} and "Index Cond" not in node):
        found.append(f"{kind} on {node['Relation Name']}")
    for below in node.get("Plans", ()):
        found += postgres_scans(below)
    return found


async def test_every_statement_is_served_by_an_index(migrated: tuple[str, Database]) -> None:
    """No statement, hot or housekeeping, reads a whole table, but for those that are listed with a reason."""
    url, database = migrated
    whole: dict[str, list[str]] = {}
    if database.dialect == "sqlite":
        whole = {name: sqlite_scans(url, query) for name, query in DECLARED.items()}
    else:
        engine = plain_engine(url)
        with engine.connect() as connection:
            connection.exec_driver_sql("SET enable_seqscan = off")
            for name, query in DECLARED.items():
                sql = query.on("postgresql").sql
                names = [slot for slot, _ in query.on("postgresql").slots]
                values = query.on("postgresql").arguments(dummies(query, "postgresql"))
                for number in range(len(names), 0, -1):
                    sql = sql.replace(f"${number}::", f"%(p{number})s::")
                arguments = {f"p{number}": value for number, value in enumerate(values, 1)}
                plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {sql}", arguments).scalar_one()
                whole[name] = postgres_scans(plan[0]["Plan"])
        engine.dispose()
    found = {name: scans for name, scans in whole.items() if scans and name not in WHOLE}
    assert found == {}
    assert whole.keys() >= WHOLE.keys()


async def test_a_whole_read_would_be_seen(migrated: tuple[str, Database]) -> None:
    """The question above can be answered with no."""
    url, database = migrated
    accounts = import_module("ostiary.core.accounts.store").account
    query = odd("whole", sa.select(accounts.c.id).where(accounts.c.name == bindparam("name")))
    if database.dialect == "sqlite":
        assert sqlite_scans(url, query)
    else:
        engine = plain_engine(url)
        with engine.connect() as connection:
            connection.exec_driver_sql("SET enable_seqscan = off")
            plan = connection.exec_driver_sql(
                "EXPLAIN (FORMAT JSON) SELECT id FROM account WHERE name = 'x'"
            ).scalar_one()
        engine.dispose()
        assert postgres_scans(plan[0]["Plan"])
