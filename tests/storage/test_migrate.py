"""Migrations: from nothing to the schema that the code declares, once, whoever starts at the same time."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from ostiary.kernel.errors import Misuse, Unavailable
from ostiary.storage import migrate
from ostiary.storage.schema import VERSION_TABLE, metadata
from tests.storage.shelf import plain_engine
from tests.support.ports import free_port
from tests.support.tree import module_name, sources

# Says that it is ready, waits for the starting signal, migrates, and says what it found.
RACER = """
import sys
from ostiary.storage.migrate import upgrade
print("ready", flush=True)
sys.stdin.readline()
before, after = upgrade(sys.argv[1])
print(before, after)
"""
IMPORTS = """
import sys
from ostiary.storage.migrate import upgrade
upgrade(sys.argv[1])
print(*sys.modules)
"""


def python(script: str, *arguments: str) -> "subprocess.Popen[str]":
    """A fresh interpreter with pipes."""
    return subprocess.Popen(
        [sys.executable, "-I", "-W", "error", "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONHASHSEED": "0"},
    )


def revision(url: str) -> list[str]:
    """What the version table holds."""
    engine = plain_engine(url)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalars().all()
    engine.dispose()
    return list(rows)


def test_from_nothing_and_again(empty_database_url: str) -> None:
    """An empty database gets everything at once; the second run finds nothing to do."""
    assert migrate.current(empty_database_url) is None
    assert migrate.upgrade(empty_database_url) == (None, migrate.newest())
    assert migrate.current(empty_database_url) == migrate.newest()
    assert migrate.upgrade(empty_database_url) == (migrate.newest(), migrate.newest())
    assert revision(empty_database_url) == [migrate.newest()]
    migrate.check(empty_database_url)


def test_the_schema_is_the_declared_one(empty_database_url: str) -> None:
    """After the migrations no table, column, type, index or rule differs from what the stores declare."""
    for path in sources():
        if path.stem == "store":
            import_module(module_name(path))
    migrate.upgrade(empty_database_url)
    engine = plain_engine(empty_database_url)
    with engine.connect() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
        connection.exec_driver_sql("DROP INDEX ix_session_expires_at")
        connection.exec_driver_sql("ALTER TABLE account ADD COLUMN surplus TEXT")
        assert len(compare_metadata(context, metadata)) == 2, "a difference would be seen"
    engine.dispose()
    assert len(metadata.tables) >= 9


@contextmanager
def held_up(url: str) -> Iterator[Callable[[int], None]]:
    """Somebody else migrates and does not end; gives a way to wait until so many others wait for it."""
    engine = plain_engine(url)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({migrate._MIGRATION_LOCK})")

        def wait_for(waiting: int) -> None:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                time.sleep(0.2)
                if engine.dialect.name == "sqlite":
                    return  # nobody can be asked who waits for a file
                found = connection.exec_driver_sql(WAITING).scalar_one()
                if found == waiting:
                    return
            raise AssertionError(f"{waiting} processes should wait for the lock")

        yield wait_for
        connection.rollback()
    engine.dispose()


WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


def test_processes_that_start_together(empty_database_url: str) -> None:
    """Of several processes at once one migrates, the others wait and find it done; nobody fails."""
    racers = [python(RACER, empty_database_url) for _ in range(2)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    with held_up(empty_database_url) as wait_for:
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        wait_for(2)
        assert [racer.poll() for racer in racers] == [None, None]
    answers = [racer.communicate(timeout=60) for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0], answers
    newest = migrate.newest()
    assert sorted(out for out, _ in answers) == sorted([f"None {newest}\n", f"{newest} {newest}\n"])


def test_a_database_from_the_future(empty_database_url: str) -> None:
    """A revision that this version does not know is refused by every door, and left alone."""
    migrate.upgrade(empty_database_url)
    engine = plain_engine(empty_database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    engine.dispose()
    for door in (migrate.upgrade, migrate.check):
        with pytest.raises(Misuse, match=r"revision 9999.*Install that version"):
            door(empty_database_url)
    assert revision(empty_database_url) == ["9999"]


def test_a_database_that_was_never_migrated(empty_database_url: str) -> None:
    """`check` says what is missing and which command mends it, and creates nothing."""
    with pytest.raises(Misuse, match=r"is empty, revision \w+ is needed: run `ostiary migrate`"):
        migrate.check(empty_database_url)
    assert migrate.current(empty_database_url) is None


def test_migrations_import_no_rib(empty_database_url: str) -> None:
    """A migration runs with storage and kernel alone, so that deleting a rib never breaks history."""
    process = python(IMPORTS, empty_database_url)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    loaded = {name for name in out.split() if name.startswith("ostiary.")}
    assert "ostiary.storage.migrate" in loaded
    assert {name.split(".")[1] for name in loaded} == {"storage", "kernel"}


def test_a_server_that_is_not_there() -> None:
    """Nobody at the port: `Unavailable`, not a driver's error, and no password in its words."""
    url = f"postgresql://ostiary:secret-word@127.0.0.1:{free_port()}/ostiary"
    for door in (migrate.current, migrate.upgrade, migrate.check):
        with pytest.raises(Unavailable, match="cannot migrate") as caught:
            door(url)
        assert "secret-word" not in str(caught.value)
