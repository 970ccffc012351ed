"""Transactions that share a commit on SQLite: fewer commits, each transaction all or nothing, durable when told."""

import asyncio
import random
import resource
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from ostiary.kernel.errors import Unavailable
from ostiary.storage.database import Conflict, Database
from ostiary.storage.statement import command
from tests.storage.shelf import ADD, SCAN, book_values, furnish, ids, opened

# SQLite may answer a statement by rolling the whole transaction back; this one asks for it.
ADD_OR_NOTHING_AT_ALL = command(
    "test.shared.add_or_nothing",
    sa.text(
        "INSERT OR ROLLBACK INTO book (id, title, shelf_id, pages) VALUES (:id, :title, :shelf_id, :pages)"
    ).bindparams(
        sa.bindparam("id", type_=sa.Text),
        sa.bindparam("title", type_=sa.Text),
        sa.bindparam("shelf_id", type_=sa.Text),
        sa.bindparam("pages", type_=sa.BigInteger),
    ),
)
FEW_PAGES = command("test.shared.few_pages", sa.text("PRAGMA max_page_count = 12"))
_WAL_HEADER, _FRAME_HEADER = 32, 24


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


def commits(path: Path) -> int:
    """How many commits the write-ahead log holds: frames that name the size of the file after them."""
    log = Path(f"{path}-wal").read_bytes()
    size = int.from_bytes(log[8:12])
    frames = range(_WAL_HEADER, len(log), _FRAME_HEADER + size)
    return sum(log[at + 4 : at + 8] != bytes(4) for at in frames)


def seen_from_outside(path: Path) -> set[str]:
    """The books that another connection reads now."""
    connection = sqlite3.connect(path)
    try:
        return {row[0] for row in connection.execute("SELECT id FROM book")}
    finally:
        connection.close()


async def add(database: Database, book_id: str, wrong: Exception | None = None) -> None:
    """A small write, which may fail at its end."""
    async with database.transaction() as tx:
        await tx.run(ADD, **book_values(book_id))
        if wrong is not None:
            raise wrong


async def test_who_waits_shares_a_commit(path: Path, database: Database) -> None:
    """Of twenty at once each is durable when it returns, and they need far less than twenty commits."""
    before = commits(path)

    async def one(number: int) -> None:
        await add(database, f"b{number}")
        assert f"b{number}" in seen_from_outside(path)

    await asyncio.gather(*(one(number) for number in range(20)))
    assert len(await ids(database)) == 21
    assert commits(path) - before < 10


async def test_one_after_the_other_shares_nothing(path: Path, database: Database) -> None:
    """Without anybody waiting each transaction has its own commit."""
    before = commits(path)
    for number in range(5):
        await add(database, f"b{number}")
    assert commits(path) - before == 5


async def test_a_failure_takes_only_its_own(path: Path, database: Database) -> None:
    """Exceptions of the caller and conflicts, first, last and in between: the others' rows are there, theirs not."""
    for wrong_ones in ({0}, {4}, {2}, {1, 2, 3}, {0, 1, 2, 3, 4}):
        names = [f"{min(wrong_ones)}-{len(wrong_ones)}-{number}" for number in range(5)]
        outcomes = await asyncio.gather(
            *(
                add(database, name, ValueError("no") if number in wrong_ones else None)
                for number, name in enumerate(names)
            ),
            *(add(database, "first") for _ in range(2)),
            return_exceptions=True,
        )
        assert [type(outcome) for outcome in outcomes[5:]] == [Conflict] * 2
        for number, name in enumerate(names):
            assert isinstance(outcomes[number], ValueError) == (number in wrong_ones)
            assert (name in seen_from_outside(path)) == (number not in wrong_ones)


async def test_scans_and_shared_commits(path: Path, database: Database) -> None:
    """A transaction that waits for a thread in the middle sees its own writes, and what others finished before it."""

    async def scan(number: int) -> int:
        async with database.transaction() as tx:
            await tx.run(ADD, **book_values(f"b{number}"))
            return len(await tx.all(SCAN))

    assert sorted(await asyncio.gather(*(scan(number) for number in range(10)))) == list(range(2, 12))
    assert len(seen_from_outside(path)) == 11


async def test_cancelled_while_others_share_its_commit(path: Path, database: Database) -> None:
    """Whoever is cancelled after its block, at any step: its row is there, and so are the others'; nobody is stuck."""
    for steps in range(25):
        names = [f"{steps}-{number}" for number in range(4)]
        tasks = [asyncio.create_task(add(database, name)) for name in names]
        for _ in range(steps):
            await asyncio.sleep(0)
        tasks[steps % 4].cancel()
        async with asyncio.timeout(5):
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        there = seen_from_outside(path)
        for name, outcome in zip(names, outcomes, strict=True):
            assert outcome is None or isinstance(outcome, asyncio.CancelledError)
            assert name in there or outcome is not None
    await add(database, "after")


async def test_the_first_is_cancelled_while_it_waits_for_the_others(path: Path, database: Database) -> None:
    """It has finished its block, another one writes: it commits for both all the same, and then is cancelled."""
    is_in, may_go = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with database.transaction() as tx:
            await tx.run(ADD, **book_values("second"))
            is_in.set()
            await may_go.wait()

    before = asyncio.create_task(add(database, "zero"))  # the others come while this one commits
    first = asyncio.create_task(add(database, "one"))
    second = asyncio.create_task(slow())
    await is_in.wait()
    for _ in range(3):
        assert not first.done()
        first.cancel()
        await asyncio.sleep(0.01)
    assert seen_from_outside(path) == {"first", "zero"}
    may_go.set()
    await asyncio.wait([before, first, second])
    assert first.cancelled()
    assert second.exception() is None
    assert seen_from_outside(path) == {"first", "zero", "one", "second"}


async def test_when_sqlite_rolls_everything_back(path: Path, database: Database) -> None:
    """Whoever had finished in the same SQLite transaction is told; whoever comes after writes in a new one."""

    async def drag_down() -> None:
        async with database.transaction() as tx:
            await tx.run(ADD_OR_NOTHING_AT_ALL, **book_values("first"))

    _, *outcomes = await asyncio.gather(
        add(database, "zero"),  # the others come while this one commits
        add(database, "one"),
        add(database, "two"),
        drag_down(),
        *(add(database, f"after{number}") for number in range(3)),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes[:3]] == [Unavailable, Unavailable, Conflict]
    assert outcomes[3:] == [None] * 3
    assert seen_from_outside(path) == {"first", "zero", "after0", "after1", "after2"}


@contextmanager
def no_more_disk(path: Path) -> Iterator[None]:
    """Files of this process cannot grow beyond what the write-ahead log has now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (Path(f"{path}-wal").stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_closing_waits_for_a_shared_commit(path: Path, database: Database) -> None:
    """Whoever had its turn before the close is durable; whoever had not is told so."""
    tasks = [asyncio.create_task(add(database, f"b{number}")) for number in range(3)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(database.close())
    late = [asyncio.create_task(add(database, f"c{number}")) for number in range(3)]
    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(*tasks, *late, return_exceptions=True)
        await closing
    told = {name for name, outcome in zip("b0 b1 b2 c0 c1 c2".split(), outcomes, strict=True) if not outcome}
    assert {"b0", "b1", "b2"} <= told
    assert seen_from_outside(path) == told | {"first"}
    assert all(outcome is None or isinstance(outcome, Unavailable) for outcome in outcomes)
    await database.open()


async def test_a_commit_that_fails(path: Path, database: Database) -> None:
    """Everybody who shares it is told `Unavailable`, nothing of them stays, and the next ones are served."""
    await add(database, "before")
    with no_more_disk(path):
        outcomes = await asyncio.gather(
            *(add(database, f"b{number}") for number in range(6)), return_exceptions=True
        )
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 6
    assert seen_from_outside(path) == {"first", "before"}
    await asyncio.gather(*(add(database, f"c{number}") for number in range(6)))
    assert len(seen_from_outside(path)) == 8


async def test_a_database_that_is_full(path: Path, database: Database) -> None:
    """Who finds no room fails alone: told of success means there, else not."""
    async with database.transaction() as tx:
        await tx.run(FEW_PAGES)

    async def fill(number: int) -> None:
        async with database.transaction() as tx:
            long = "x" * (60_000 if number % 3 == 1 else 10)
            await tx.run(ADD, **book_values(f"b{number}", title=f"{number}{long}"))

    outcomes = await asyncio.gather(*(fill(number) for number in range(9)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {type(None), Unavailable}
    told = {f"b{number}" for number, outcome in enumerate(outcomes) if outcome is None}
    assert seen_from_outside(path) == told | {"first"}


async def test_any_mixture(path: Path, database: Database) -> None:
    """Many at once that succeed, fail, clash or are cancelled: success means there, failure means not there."""
    chance = random.Random(7)
    for _ in range(10):
        before = seen_from_outside(path)
        names = [f"{len(before)}-{number}" for number in range(12)]
        kinds = [chance.choice(("fine", "fine", "fine", "wrong", "clash", "cancel")) for _ in names]
        tasks = [
            asyncio.create_task(
                add(
                    database,
                    "first" if kind == "clash" else name,
                    ValueError("no") if kind == "wrong" else None,
                )
            )
            for name, kind in zip(names, kinds, strict=True)
        ]
        for task, kind in zip(tasks, kinds, strict=True):
            if kind == "cancel":
                for _ in range(chance.randrange(6)):
                    await asyncio.sleep(0)
                task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        there = seen_from_outside(path) - before
        for name, kind, outcome in zip(names, kinds, outcomes, strict=True):
            if outcome is None:
                assert name in there
            elif kind != "cancel":
                assert name not in there
