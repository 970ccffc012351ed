"""Owns the SQLite executor: the writer, one reader on the event loop, a few readers beside it.

Statements by key take microseconds and run where they are called; what waits for a disk or for another process runs in
a thread. Why not everything in a thread: docs/decisions/0003-sqlite-executor.md.
"""

import asyncio
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final, TypeVar

from ostiary.kernel.errors import Unavailable
from ostiary.storage.database import STATEMENT_LIMIT, Database, Transaction
from ostiary.storage.private import make_private
from ostiary.storage.sqlite_writer import Writer, is_busy, translated
from ostiary.storage.statement import Query

T = TypeVar("T")

_READERS: Final = 2
_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # an acknowledged commit survives a power cut
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",  # deleted secrets do not linger in free pages
    "PRAGMA temp_store=MEMORY",
)


def _connect(path: Path, busy_seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=busy_seconds, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    for pragma in _PRAGMAS:
        connection.execute(pragma)
    return connection


class SqliteDatabase(Database):
    """A SQLite file that belongs to ostiary alone.

    Args:
        path: The file; its folder must exist.
    """

    dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._writer = Writer(self.tell)
        self._inline: sqlite3.Connection | None = None
        self._reader_threads: ThreadPoolExecutor

    async def open(self) -> None:
        try:
            await self._writer.open(self._connect_writer)
            self._reader_threads = ThreadPoolExecutor(_READERS, "ostiary-reader")
            self._inline = _connect(self._path, 0)
        except sqlite3.Error as error:
            raise Unavailable(f"sqlite: cannot open {self._path}: {error}") from error

    def _connect_writer(self) -> sqlite3.Connection:
        make_private(self._path)
        return _connect(self._path, STATEMENT_LIMIT.total_seconds())

    async def close(self) -> None:
        await self._writer.close()
        if self._inline is not None:
            self._reader_threads.shutdown()
            for connection in (self._inline, *self._opened):
                connection.close()
            self._inline = None
            self._opened.clear()

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        return self._writer.transaction()

    async def one(self, query: Query[T], **given: Any) -> T | None:
        rows = await self._read(query, given)
        return query.row(rows[0]) if rows else None

    async def all(self, query: Query[T], **given: Any) -> list[T]:
        return [query.row(row) for row in await self._read(query, given)]

    async def _read(self, query: Query[Any], given: dict[str, Any]) -> list[Any]:
        compiled = query.on("sqlite")
        arguments = compiled.arguments(given)
        if self._inline is None:
            raise Unavailable("sqlite: the database is not open")
        self.tell(query.name)
        if not query.scan:
            try:
                return self._inline.execute(compiled.sql, arguments).fetchall()
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise translated(error) from error
                # Another process recovers or checkpoints: wait for it, but not on the event loop.
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._reader_threads, self._read_in_thread, compiled.sql, arguments
            )
        except sqlite3.Error as error:
            raise translated(error) from error

    def _read_in_thread(self, sql: str, arguments: list[Any]) -> list[Any]:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = _connect(self._path, STATEMENT_LIMIT.total_seconds())
            self._opened.append(connection)
        return connection.execute(sql, arguments).fetchall()
