"""Owns the one writer of a SQLite file: whose turn it is, its thread, and the commits that transactions share.

One transaction at a time uses the writer's connection. Its statements run where they are called; what waits for a disk
or for another process (commit, a begin that finds somebody else writing, scans) runs in the writer's thread.

A commit waits for the disk, however little it holds. So whoever has finished while others wait for their turn lets
them go first: they write into the same SQLite transaction, each behind a savepoint, and one commit makes all of them
durable. Nobody hears that a transaction is done before that.
"""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from ostiary.kernel.errors import Unavailable
from ostiary.storage import guard
from ostiary.storage.database import (
    STATEMENT_LIMIT,
    TRANSACTION_LIMIT,
    Conflict,
    Observe,
    Transaction,
    too_slow,
)
from ostiary.storage.statement import Query

T = TypeVar("T")

_LIMIT: Final = TRANSACTION_LIMIT.total_seconds()


def translated(error: sqlite3.Error) -> Exception:
    """The error of our own families that stands for one of the driver's."""
    if isinstance(error, sqlite3.IntegrityError):
        return Conflict(str(error))
    return Unavailable(f"sqlite: {error}")


def is_busy(error: sqlite3.OperationalError) -> bool:
    """Whether another process is in the way."""
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _begin_patiently(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA busy_timeout={STATEMENT_LIMIT // timedelta(milliseconds=1)}")
    try:
        connection.execute("BEGIN IMMEDIATE")
    finally:
        connection.execute("PRAGMA busy_timeout=0")


class _Thread:
    """A thread that makes one call after the other for the event loop that awaits them.

    An executor of `concurrent.futures` does the same for three times the work.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._calls: SimpleQueue[tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]] | None] = (
            SimpleQueue()
        )
        self._thread = threading.Thread(target=self._work, name="ostiary-writer", daemon=True)
        self._thread.start()

    async def run(self, call: Callable[..., T], *args: Any) -> T:
        """Make a call there. A cancelled caller waits for its end, since the connection is in use.

        Raises:
            CancelledError: and the call has succeeded; otherwise what it raised comes out.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        self._calls.put((future, call, args))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            while not future.done():  # cancelled again, perhaps: the connection is in use all the same
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([future])
            future.result()
            raise

    def end(self) -> None:
        """End the thread after the calls that wait."""
        self._calls.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (item := self._calls.get()) is not None:
            future, call, args = item
            try:
                answer = call(*args)
            except BaseException as error:  # noqa: BLE001 - it belongs to the caller; the thread must live on
                self._tell(future.set_exception, error)
            else:
                self._tell(future.set_result, answer)
                del answer
            del item, future, call, args  # nothing of it is kept while the next one is waited for

    def _tell(self, settle: Callable[[Any], None], what: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: there is nobody to tell
            self._loop.call_soon_threadsafe(settle, what)


class SqliteTransaction(Transaction):
    """What one caller writes in its turn.

    Args:
        connection: The writer's.
        in_thread: Makes a call in the writer's thread.
        tell: The database's observer.
    """

    def __init__(self, connection: sqlite3.Connection, in_thread: Callable[..., Any], tell: Observe) -> None:
        super().__init__()
        self._connection = connection
        self._in_thread = in_thread
        self._tell = tell

    async def _rows(self, query: Query[Any], given: dict[str, Any]) -> tuple[list[Any], int]:
        """Every row, and how many were touched."""
        compiled = query.on("sqlite")
        arguments = compiled.arguments(given)
        self._tell(query.name)
        try:
            if query.scan:
                found: tuple[list[Any], int] = await self._in_thread(self._work, compiled.sql, arguments)
                return found
            return self._work(compiled.sql, arguments)
        except sqlite3.Error as error:
            raise translated(error) from error

    def _work(self, sql: str, arguments: list[Any]) -> tuple[list[Any], int]:
        cursor = self._connection.execute(sql, arguments)
        # All of them, so that a RETURNING statement has finished before the next one starts; it counts only then.
        rows = cursor.fetchall()
        return rows, cursor.rowcount

    async def one(self, query: Query[T], **given: Any) -> T | None:
        rows, _ = await self._rows(query, given)
        return query.row(rows[0]) if rows else None

    async def all(self, query: Query[T], **given: Any) -> list[T]:
        rows, _ = await self._rows(query, given)
        return [query.row(row) for row in rows]

    async def run(self, query: Query[Any], **given: Any) -> int:
        return (await self._rows(query, given))[1]


class Writer:
    """The writer's connection.

    Args:
        tell: The database's observer.
    """

    def __init__(self, tell: Observe) -> None:
        self._tell = tell
        self._turn = asyncio.Lock()
        self._waiting = 0
        # While somebody has finished and lets others write into the same SQLite transaction: its end.
        self._shared: asyncio.Future[None] | None = None
        self._connection: sqlite3.Connection | None = None
        self._thread: _Thread

    async def open(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """Connect.

        Args:
            connect: Makes the connection; called in the writer's thread.

        Raises:
            sqlite3.Error: it cannot be made.
        """
        self._turn = asyncio.Lock()  # the one before may belong to another event loop
        self._thread = _Thread()
        try:
            self._connection = await self._thread.run(connect)
            # Only BEGIN can meet another writer, and it says itself how long it waits.
            self._connection.execute("PRAGMA busy_timeout=0")
        except BaseException:
            self._thread.end()
            raise

    async def close(self) -> None:
        """Give the connection back, after everybody who has a turn or shares a commit."""
        async with self._turn:
            is_shared = self._shared is not None
            if self._connection is not None and not is_shared:
                self._thread.end()
                self._connection.close()
                self._connection = None
        if is_shared:
            await self.close()  # behind the one who comes back to commit

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A write transaction; see `Database.transaction`."""
        with guard.mark_open():
            await self._take_turn()
            joined = self._shared
            try:
                async with self._written(joined) as transaction:
                    yield transaction
                if joined is None:
                    await self._commit()
            finally:
                self._turn.release()
            if joined is not None:
                await _durable(joined)
        for action in transaction.on_commit:
            action()

    async def _take_turn(self) -> None:
        if self._turn.locked() or self._waiting:
            self._waiting += 1
            try:
                async with asyncio.timeout(_LIMIT):
                    await self._turn.acquire()
            except TimeoutError:
                raise too_slow("waiting for the writer") from None
            finally:
                self._waiting -= 1
        else:
            await self._turn.acquire()  # at once
        if self._connection is None:
            self._turn.release()
            raise Unavailable("sqlite: the database is not open")

    @asynccontextmanager
    async def _written(self, joined: "asyncio.Future[None] | None") -> AsyncIterator[SqliteTransaction]:
        """Begin, and leave behind either all that the block writes, to be committed, or nothing."""
        connection = self._open_connection()
        limit = asyncio.timeout(_LIMIT)
        try:
            self._tell("begin")
            await self._begin(connection, joined)
            async with limit:
                transaction = SqliteTransaction(connection, self._thread.run, self._tell)
                yield transaction
                await transaction.speak_last()
            self._tell("commit")
            if joined is not None:
                connection.execute("RELEASE joined")
        except BaseException as error:
            await self._undo(connection, joined)
            if isinstance(error, TimeoutError) and limit.expired():
                raise too_slow("a transaction") from error
            if isinstance(error, sqlite3.Error):
                raise translated(error) from error
            raise

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise Unavailable("sqlite: the database is not open")
        return self._connection

    async def _begin(self, connection: sqlite3.Connection, joined: "asyncio.Future[None] | None") -> None:
        if joined is not None:
            connection.execute("SAVEPOINT joined")
            return
        # Our own turns leave only another process to wait for, and nearly always there is none: so it is tried here
        # first, since the way to the thread and back costs more than several statements.
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not is_busy(error):
                raise
            await self._thread.run(_begin_patiently, connection)

    async def _undo(self, connection: sqlite3.Connection, joined: "asyncio.Future[None] | None") -> None:
        if connection.in_transaction:
            self._tell("rollback")
        if joined is None:
            if connection.in_transaction:
                await self._thread.run(connection.execute, "ROLLBACK")
            return
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK TO joined")
            connection.execute("RELEASE joined")
            return
        # SQLite has rolled everything back by itself (a full disk does that), or cannot undo our part alone.
        if connection.in_transaction:
            await self._thread.run(connection.execute, "ROLLBACK")
        self._shared = None
        _settle(joined, Unavailable("sqlite: the transaction was lost"))

    async def _commit(self) -> None:
        """Commit at once, or after those who wait for their turn by now."""
        end: asyncio.Future[None] | None = None
        is_cancelled = False
        if self._waiting:
            end = self._shared = asyncio.get_running_loop().create_future()
            self._turn.release()
            is_cancelled = await self._take_turn_back()
            if end.done():
                await _durable(end)
            self._shared = None
        problem: Exception | None = None
        connection = self._open_connection()
        try:
            await self._thread.run(connection.execute, "COMMIT")
        except sqlite3.Error as error:
            problem = translated(error)
            if connection.in_transaction:
                self._tell("rollback")
                await self._thread.run(connection.execute, "ROLLBACK")
            raise problem from error
        finally:
            if end is not None:
                _settle(end, problem)
        if is_cancelled:
            raise asyncio.CancelledError

    async def _take_turn_back(self) -> bool:
        """Whoever shares a commit must come back to it; returns whether the task was cancelled meanwhile."""
        is_cancelled = False
        while True:
            try:
                await self._turn.acquire()
            except asyncio.CancelledError:
                is_cancelled = True
            else:
                return is_cancelled


def _settle(end: "asyncio.Future[None]", problem: Exception | None) -> None:
    if problem is None:
        end.set_result(None)
        return
    end.set_exception(problem)
    end.exception()  # looked at: perhaps nobody is left to hear it


async def _durable(end: "asyncio.Future[None]") -> None:
    """Wait for a shared commit.

    Raises:
        Unavailable: it failed.
    """
    try:
        await asyncio.shield(end)
    except Unavailable as error:
        raise Unavailable(str(error)) from error
