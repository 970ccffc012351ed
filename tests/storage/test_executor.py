"""What both executors promise: reads, one transaction per task, conflicts by name, and all or nothing."""

import asyncio

import pytest

from ostiary.kernel.errors import Misuse, Unavailable
from ostiary.storage import guard
from ostiary.storage.connect import database_for
from ostiary.storage.database import Conflict, Database
from tests.storage.shelf import (
    ADD,
    ADD_SHELF,
    DROP,
    GET,
    LIST,
    SCAN,
    THICKEN,
    Book,
    book_values,
    furnish,
    ids,
    opened,
)


async def test_reads_and_writes(database: Database) -> None:
    """one gives a row or None, all gives every row in order, run counts, and RETURNING gives the row written."""
    async with database.transaction() as tx:
        assert await tx.one(ADD, **book_values("second", pages=7)) == Book("second", "Second", 7)
        assert await tx.run(THICKEN, of_id="second") == 1
        assert await tx.run(THICKEN, of_id="nobody") == 0
        assert await tx.one(GET, id="second") == Book("second", "Second", 8), (
            "a transaction sees its own writes"
        )
        assert [found.id for found in await tx.all(SCAN)] == ["first", "second"]
    assert await database.one(GET, id="second") == Book("second", "Second", 8)
    assert await database.one(GET, id="nobody") is None
    assert await ids(database) == ["first", "second"]
    async with database.transaction() as tx:
        assert await tx.run(DROP, pages=1) == 2
        assert await tx.run(ADD, **book_values("third")) == 1, "RETURNING may be run without reading it"
    assert await database.all(SCAN) == [Book("third", "Third", 1)]


@pytest.mark.parametrize(
    "wrong",
    [{"id": "first"}, {"title": "First"}, {"shelf_id": "no such shelf"}],
    ids=["primary key", "unique", "foreign key"],
)
async def test_a_broken_rule_is_a_conflict(database: Database, wrong: dict[str, str]) -> None:
    """A uniqueness or foreign-key rule refuses as `Conflict`, and takes the whole transaction with it."""
    with pytest.raises(Conflict):  # noqa: PT012 – what the transaction does on leaving is the subject
        async with database.transaction() as tx:
            await tx.run(ADD, **book_values("kept?"))
            await tx.one(ADD, **book_values("second") | wrong)
    assert await ids(database) == ["first"]
    async with database.transaction() as tx:
        await tx.run(ADD_SHELF, id="t")


async def test_an_exception_rolls_back(database: Database) -> None:
    """An exception that leaves the block leaves nothing behind, and arrives as it was."""
    wrong = ValueError("the caller's own")
    with pytest.raises(ValueError, match="own") as caught:  # noqa: PT012 – what the transaction does on leaving is the subject
        async with database.transaction() as tx:
            await tx.run(ADD, **book_values("second"))
            await tx.run(THICKEN, of_id="first")
            raise wrong
    assert caught.value is wrong
    assert wrong.__cause__ is None, "it is not made its own cause"
    assert await database.all(LIST) == [Book("first", "First", 100)]


async def test_an_exception_of_the_caller_keeps_its_family(database: Database) -> None:
    """A missing file in the block is not mistaken for a missing database."""
    with pytest.raises(FileNotFoundError):
        async with database.transaction():
            raise FileNotFoundError("something of the caller's")


async def test_after_commit_means_after_commit(database: Database) -> None:
    """What waits for durability is called once the row is there, and never when it was rolled back."""
    called: list[str] = []
    async with database.transaction() as tx:
        await tx.run(ADD, **book_values("second"))
        tx.after_commit(lambda: called.append("committed"))
        assert not called
    assert called == ["committed"]
    with pytest.raises(ValueError, match="no"):  # noqa: PT012 – what the transaction does on leaving is the subject
        async with database.transaction() as tx:
            tx.after_commit(lambda: called.append("rolled back"))
            raise ValueError("no")
    with pytest.raises(Conflict):  # noqa: PT012 – what the transaction does on leaving is the subject
        async with database.transaction() as tx:
            tx.after_commit(lambda: called.append("conflict"))
            await tx.run(ADD, **book_values("second"))
    assert called == ["committed"]


async def test_a_transaction_inside_another_is_misuse(database: Database) -> None:
    """Nesting is refused in the task itself and in tasks that it waits for, and harms neither transaction."""

    async def nested() -> None:
        async with database.transaction():
            raise AssertionError("unreachable")

    async with database.transaction() as tx:
        await tx.run(ADD, **book_values("second"))
        with pytest.raises(Misuse, match="while a database transaction is open"):
            await nested()
        with pytest.raises(Misuse, match="while a database transaction is open"):
            await asyncio.gather(nested())
        with pytest.raises(Misuse, match="hashing while"):
            guard.refuse_if_open("hashing")
    guard.refuse_if_open("hashing")
    assert await ids(database) == ["first", "second"]


async def test_transactions_of_several_tasks_are_a_line(database: Database) -> None:
    """Concurrent increments are all kept."""

    async def once() -> None:
        async with database.transaction() as tx:
            await tx.run(THICKEN, of_id="first")

    await asyncio.gather(*(once() for _ in range(25)))
    assert await database.one(GET, id="first") == Book("first", "First", 125)


async def test_nobody_reads_what_is_not_committed(database: Database) -> None:
    """Readers answer during a write, from before it; a rollback was never seen."""
    with pytest.raises(ValueError, match="no"):  # noqa: PT012 – what the transaction does on leaving is the subject
        async with database.transaction() as tx:
            await tx.run(ADD, **book_values("second"))
            seen = await asyncio.gather(*(database.all(query) for query in (LIST, SCAN, LIST, SCAN)))
            assert seen == [[Book("first", "First", 100)]] * 4
            raise ValueError("no")
    assert await ids(database) == ["first"]


async def test_a_missing_argument_is_a_defect(database: Database) -> None:
    """A statement without one of its values fails before it reaches the database."""
    with pytest.raises(KeyError, match="id"):
        await database.one(GET)


async def test_a_database_that_is_not_open_is_unavailable(empty_database_url: str) -> None:
    """Before `open` and after `close` every door says so, in our own words."""
    database = database_for(furnish(empty_database_url), pool_size=1, prepared_statements=True)
    for _ in range(2):
        with pytest.raises(Unavailable, match="not open"):
            await database.one(GET, id="first")
        with pytest.raises(Unavailable, match="not open"):
            async with database.transaction():
                raise AssertionError("unreachable")
        await database.open()
        await database.close()


async def test_values_survive(database: Database) -> None:
    """Text of any script and 64-bit numbers come back as they went in."""
    title = "żółw – 亀 – 🐢 '; DROP TABLE book; -- $1 ?1 :id %s"
    async with database.transaction() as tx:
        await tx.run(ADD, **book_values("turtle", title=title, pages=2**63 - 1))
    assert await database.one(GET, id="turtle") == Book("turtle", title, 2**63 - 1)


async def test_two_processes_on_one_database(database: Database, empty_database_url: str) -> None:
    """What one process commits, another one reads at once; both write."""
    async with opened(empty_database_url) as other:
        for number in range(5):
            async with database.transaction() as tx:
                await tx.run(ADD, **book_values(f"a{number}"))
            async with other.transaction() as tx:
                assert await tx.one(GET, id=f"a{number}") is not None
                await tx.run(ADD, **book_values(f"b{number}"))
            assert await database.one(GET, id=f"b{number}") is not None
