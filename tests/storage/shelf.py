"""Owns a small table with its statements, so that tests of the executor depend on nobody's schema."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.storage.connect import database_for
from ostiary.storage.database import Database
from ostiary.storage.schema import number, text
from ostiary.storage.statement import Query, command

own = sa.MetaData()  # not ours: the real schema must not grow by what tests need
shelf = sa.Table("shelf", own, text("id", primary_key=True))
book = sa.Table(
    "book",
    own,
    text("id", primary_key=True),
    text("title", unique=True),
    text("shelf_id", sa.ForeignKey("shelf.id")),
    number("pages"),
)


@dataclass(frozen=True)
class Book:
    """A row of the table."""

    id: str
    title: str
    pages: int


_columns = (book.c.id, book.c.title, book.c.pages)
ADD_SHELF = command("test.shelf.add_shelf", sa.insert(shelf).values(id=bindparam("id")))
ADD = Query(
    "test.shelf.add",
    sa.insert(book).values({c.name: bindparam(c.name) for c in book.columns}).returning(*_columns),
    Book,
)
GET = Query("test.shelf.get", sa.select(*_columns).where(book.c.id == bindparam("id")), Book)
LIST = Query("test.shelf.list", sa.select(*_columns).order_by(book.c.id), Book)
SCAN = Query("test.shelf.scan", sa.select(*_columns).order_by(book.c.id), Book, scan=True)
THICKEN = command(
    "test.shelf.thicken",
    sa.update(book).where(book.c.id == bindparam("of_id")).values(pages=book.c.pages + 1),
)
REMOVE = command("test.shelf.remove", sa.delete(book).where(book.c.id == bindparam("id")))
DROP = command("test.shelf.drop", sa.delete(book).where(book.c.pages >= bindparam("pages")))


def plain_engine(url: str, **connect_args: object) -> sa.Engine:
    """An ordinary synchronous engine, for what tests do behind the executor's back."""
    return sa.create_engine(
        url.replace("postgresql://", "postgresql+psycopg://"),
        poolclass=sa.NullPool,
        connect_args=connect_args,
    )


def furnish(url: str) -> str:
    """Create the tables, one shelf and one book, and hand the URL back."""
    engine = plain_engine(url)
    with engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        own.create_all(connection)
        connection.execute(sa.insert(shelf).values(id="s"))
        connection.execute(sa.insert(book).values(id="first", title="First", shelf_id="s", pages=100))
    engine.dispose()
    return url


def book_values(book_id: str, **other: Any) -> dict[str, Any]:
    """Arguments for `ADD`."""
    return {"id": book_id, "title": book_id.title(), "shelf_id": "s", "pages": 1} | other


@asynccontextmanager
async def opened(url: str, *, pool_size: int = 4, prepared: bool = True) -> AsyncIterator[Database]:
    """An executor as one process has it."""
    database = database_for(url, pool_size=pool_size, prepared_statements=prepared)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def ids(database: Database) -> list[str]:
    """Which books there are."""
    return [found.id for found in await database.all(LIST)]
