"""What is special about SQLite: one writer, other processes, and an event loop that must never wait for a disk."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from ostiary.kernel.errors import Misuse, Unavailable
from ostiary.storage.connect import database_for, sqlite_path
from ostiary.storage.database import Database
from ostiary.storage.statement import Query
from tests.storage.shelf import ADD, GET, LIST, SCAN, THICKEN, book_values, furnish, ids, opened

# Holds the write lock until its standard input ends.
HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE book SET pages = pages + 1000")
print("held", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A furnished file."""
    furnish(f"sqlite:///{tmp_path / 'ostiary.db'}")
    return tmp_path / "ostiary.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    """An open executor on it."""
    async with opened(f"sqlite:///{path}") as database:
        yield database


@contextmanager
def held_by_another_process(path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Another process is in the middle of a write."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    try:
        yield process
    finally:
        release(process)
        process.stdout.close()


def release(process: "subprocess.Popen[bytes]") -> None:
    """Let the other process go."""
    if process.stdin is not None and not process.stdin.closed:
        process.stdin.close()
    assert process.wait(10) == 0


@contextmanager
def held_here(path: Path) -> Iterator[sqlite3.Connection]:
    """Another connection holds the write lock."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


async def thicken(database: Database) -> None:
    """A small write."""
    async with database.transaction() as tx:
        await tx.run(THICKEN, of_id="first")


async def test_a_writer_waits_for_another_process(path: Path, database: Database) -> None:
    """While another process writes, ours waits off the loop: reads by key and scans go on; then it is our turn."""
    with held_by_another_process(path) as process:
        writing = asyncio.create_task(thicken(database))
        for _ in range(100):
            found = await database.one(GET, id="first")
            assert found is not None
            assert found.pages == 100
            assert await database.all(SCAN) == [found]
        assert not writing.done(), "the loop turned hundreds of times while the writer waited"
        release(process)
        await writing
    found = await database.one(GET, id="first")
    assert found is not None
    assert found.pages == 101


@pytest.mark.slow
async def test_a_lock_that_is_never_given_back(path: Path, database: Database) -> None:
    """A writer that waits too long is `Unavailable`; those behind it are, too; afterwards all is well."""
    with held_by_another_process(path):
        async with asyncio.timeout(25):
            outcomes = await asyncio.gather(*(thicken(database) for _ in range(3)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    await thicken(database)
    assert await ids(database) == ["first"]


@pytest.mark.slow
async def test_a_transaction_that_never_ends(database: Database) -> None:
    """Who holds the writer for ten seconds loses it; who waited for it gets it or a clean refusal."""

    async def dawdle() -> None:
        async with database.transaction() as tx:
            await tx.run(ADD, **book_values("second"))
            await asyncio.sleep(60)

    dawdler = asyncio.create_task(dawdle())
    await asyncio.sleep(0.1)
    with pytest.raises(Unavailable, match="a transaction took too long"):
        await asyncio.gather(dawdler, asyncio.sleep(1))
    await thicken(database)
    assert await ids(database) == ["first"]


async def test_cancelled_twice_while_it_waits(path: Path, database: Database) -> None:
    """An impatient caller leaves no transaction open behind it: the next one begins."""
    with held_here(path) as other:
        writing = asyncio.create_task(thicken(database))
        for _ in range(3):
            await asyncio.sleep(0.02)
            writing.cancel()
        other.execute("ROLLBACK")
        await asyncio.wait([writing])
    assert writing.cancelled()
    await thicken(database)
    found = await database.one(GET, id="first")
    assert found is not None
    assert found.pages == 101


async def test_where_statements_run(database: Database) -> None:
    """A read by key runs on the loop's own thread; a statement marked `scan` does not, in a transaction either."""
    on_loop = Query(
        "test.sqlite.by_key", sa.select(sa.literal("x", sa.Text)), lambda _: threading.get_ident()
    )
    assert await database.one(on_loop) == threading.get_ident()
    # A scan that takes long: the loop must go on turning meanwhile.
    numbers = sa.select(sa.literal(1, sa.Integer).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(sa.select(numbers.c.n + 1).where(numbers.c.n < 300_000))
    slow = Query("test.sqlite.slow", sa.select(sa.func.count()).select_from(numbers), int, scan=True)
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    assert await database.one(slow) == 300_000
    assert turns > 100
    turns = 0
    async with database.transaction() as tx:
        assert await tx.one(slow) == 300_000
    assert turns > 100
    turning.cancel()


async def test_what_is_durable_and_what_is_erased(path: Path, database: Database) -> None:
    """Write-ahead log, and no deleted text left in the file: what was deleted cannot be found in it."""
    marker = "qzjxkvwy" * 40
    async with database.transaction() as tx:
        await tx.run(ADD, **book_values("marked", title=marker))
    await database.close()
    assert holds(path, marker)
    await database.open()
    async with database.transaction() as tx:
        await tx.run(REMOVE_MARKED)
    await database.close()
    assert not holds(path, marker)
    with sqlite3.connect(path) as plain:
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    plain.close()
    await database.open()


def holds(path: Path, words: str) -> bool:
    """Whether a file holds these words."""
    return words.encode() in path.read_bytes()


REMOVE_MARKED: Query[None] = Query(
    "test.sqlite.remove_marked", sa.text("DELETE FROM book WHERE id = 'marked'"), None
)


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """Garbage, a folder, or a folder that is not there: `Unavailable` at start, naming the file."""
    (tmp_path / "garbage").write_bytes(b"this is no database" * 100)
    for name in ("garbage", ".", "missing/folder.db"):
        database = database_for(f"sqlite:///{tmp_path / name}", pool_size=1, prepared_statements=True)
        with pytest.raises(Unavailable, match="cannot open"):
            await database.open()
        await database.close()


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:ostiary.db", "sqlite://host/x"]
)
def test_a_url_that_names_no_file(url: str) -> None:
    """A database in memory cannot be shared by connections, so it is refused with what to give instead."""
    with pytest.raises(Misuse, match='give "sqlite:///'):
        sqlite_path(url)


@pytest.mark.parametrize(
    "url", ["", "mysql://u:secret-word@host/x", "ostiary.db", "postgresql+asyncpg://u:secret-word@h/x"]
)
def test_a_url_of_another_kind(url: str) -> None:
    """An unknown kind of database is refused, without repeating the URL: it may hold a password."""
    with pytest.raises(Misuse, match="unknown kind of URL") as caught:
        database_for(url, pool_size=1, prepared_statements=True)
    assert "secret-word" not in str(caught.value)


async def test_many_scans_share_the_readers(database: Database) -> None:
    """Many scans at once share the few reader threads and all answer."""
    answers = await asyncio.gather(*(database.all(SCAN) for _ in range(50)))
    assert answers == [await database.all(LIST)] * 50
