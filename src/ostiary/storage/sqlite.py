"""Owns the SQLite executor: one writer connection, one reader on the event loop, a few readers beside it.

Statements by key take microseconds and run where they are called; what waits for a disk or for another process
(commit, scans, a begin that finds somebody else writing) runs in a thread. Why not everything in a thread:
docs/decisions/0003-sqlite-executor.md.
"""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from ostiary.kernel.errors import Unavailable
from ostiary.storage import guard
from ostiary.storage.database import (
    STATEMENT_LIMIT,
    TRANSACTION_LIMIT,
    Conflict,
    Database,
    Observe,
    Transaction,
    too_slow,
)
from ostiary.storage.private import make_private
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


def _translate(error: sqlite3.Error) -> Exception:
    if isinstance(error, sqlite3.IntegrityError):
        return Conflict(str(error))
    return Unavailable(f"sqlite: {error}")


def _connect(path: Path, busy_seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=busy_seconds, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    for pragma in _PRAGMAS:
        connection.execute(pragma)
    return connection


def _begin_patiently(writer: sqlite3.Connection) -> None:
    writer.execute(f"PRAGMA busy_timeout={STATEMENT_LIMIT // timedelta(milliseconds=1)}")
    try:
        writer.execute("BEGIN IMMEDIATE")
    finally:
        writer.execute("PRAGMA busy_timeout=0")


class SqliteTransaction(Transaction):
    """The writer connection between BEGIN IMMEDIATE and COMMIT."""

    def __init__(
        self, connection: sqlite3.Connection, in_thread: "Callable[..., Any]", tell: Observe
    ) -> None:
        super().__init__()
        self._connection = connection
        self._in_thread = in_thread
        self._tell = tell

    async def _execute(
        self, query: Query[Any], given: dict[str, Any], fetch: Callable[[sqlite3.Cursor], T]
    ) -> T:
        compiled = query.on("sqlite")
        arguments = compiled.arguments(given)

        def work() -> T:
            return fetch(self._connection.execute(compiled.sql, arguments))

        self._tell(query.name)
        try:
            if query.scan:
                result: T = await self._in_thread(work)
                return result
            return work()
        except sqlite3.Error as error:
            raise _translate(error) from error

    async def one(self, query: Query[T], **given: Any) -> T | None:
        # fetchall, so that a RETURNING statement has finished before the next one starts
        rows = await self._execute(query, given, sqlite3.Cursor.fetchall)
        return query.row(rows[0]) if rows else None

    async def all(self, query: Query[T], **given: Any) -> list[T]:
        return [query.row(row) for row in await self._execute(query, given, sqlite3.Cursor.fetchall)]

    async def run(self, query: Query[Any], **given: Any) -> int:
        return await self._execute(query, given, lambda cursor: (cursor.fetchall(), cursor.rowcount)[1])


class SqliteDatabase(Database):
    """A SQLite file that belongs to ostiary alone.

    Args:
        path: The file; its folder must exist.
    """

    dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._lock = asyncio.Lock()
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._writer: sqlite3.Connection | None = None
        self._inline: sqlite3.Connection | None = None
        self._writer_thread: ThreadPoolExecutor
        self._reader_threads: ThreadPoolExecutor

    async def open(self) -> None:
        self._writer_thread = ThreadPoolExecutor(1, "ostiary-writer")
        self._reader_threads = ThreadPoolExecutor(_READERS, "ostiary-reader")
        try:
            await self._in_writer(make_private, self._path)
            self._writer = await self._in_writer(_connect, self._path, STATEMENT_LIMIT.total_seconds())
            # Only BEGIN can meet another writer, and it says itself how long it waits.
            self._writer.execute("PRAGMA busy_timeout=0")
            self._inline = _connect(self._path, 0)
        except sqlite3.Error as error:
            raise Unavailable(f"sqlite: cannot open {self._path}: {error}") from error

    async def close(self) -> None:
        async with self._lock:
            self._writer_thread.shutdown()
            self._reader_threads.shutdown()
            for connection in (self._inline, self._writer, *self._opened):
                if connection is not None:
                    connection.close()
            self._inline = self._writer = None
            self._opened.clear()

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
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise _translate(error) from error
                # Another process recovers or checkpoints: wait for it, but not on the event loop.
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._reader_threads, self._read_in_thread, compiled.sql, arguments
            )
        except sqlite3.Error as error:
            raise _translate(error) from error

    def _read_in_thread(self, sql: str, arguments: list[Any]) -> list[Any]:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = _connect(self._path, STATEMENT_LIMIT.total_seconds())
            self._opened.append(connection)
        return connection.execute(sql, arguments).fetchall()

    async def _in_writer(self, work: Callable[..., T], *args: Any) -> T:
        """Run in the writer thread; a cancelled caller still waits for the end, since the connection is in use."""
        future = asyncio.get_running_loop().run_in_executor(self._writer_thread, work, *args)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            while not future.done():  # cancelled again, perhaps: the connection is in use all the same
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([future])
            raise

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        with guard.mark_open():
            try:
                async with asyncio.timeout(TRANSACTION_LIMIT.total_seconds()):
                    await self._lock.acquire()
            except TimeoutError:
                raise too_slow("waiting for the writer") from None
            try:
                async with self._begun() as transaction:
                    yield transaction
            finally:
                self._lock.release()
        for action in transaction.on_commit:
            action()

    async def _begin(self, writer: sqlite3.Connection) -> None:
        # Our own lock leaves only another process to wait for, and nearly always there is none: so it is tried here
        # first, since the way to the thread and back costs more than several statements.
        try:
            writer.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            await self._in_writer(_begin_patiently, writer)

    @asynccontextmanager
    async def _begun(self) -> AsyncIterator[SqliteTransaction]:
        writer = self._writer
        if writer is None:
            raise Unavailable("sqlite: the database is not open")
        limit = asyncio.timeout(TRANSACTION_LIMIT.total_seconds())
        try:
            self.tell("begin")
            await self._begin(writer)
            async with limit:
                transaction = SqliteTransaction(writer, self._in_writer, self.tell)
                yield transaction
                await transaction.speak_last()
            self.tell("commit")
            await self._in_writer(writer.execute, "COMMIT")
        except BaseException as error:
            if writer.in_transaction:
                self.tell("rollback")
                await self._in_writer(writer.execute, "ROLLBACK")
            if isinstance(error, TimeoutError) and limit.expired():
                raise too_slow("a transaction") from error
            if isinstance(error, sqlite3.Error):
                raise _translate(error) from error
            raise
