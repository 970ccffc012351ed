"""Owns the PostgreSQL executor: a pool of asyncpg connections, every statement under a time limit."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import asyncpg

from ostiary.kernel.errors import Unavailable
from ostiary.storage import guard
from ostiary.storage.database import (
    STATEMENT_LIMIT,
    TRANSACTION_LIMIT,
    Conflict,
    Contended,
    Database,
    Observe,
    Transaction,
    too_slow,
)
from ostiary.storage.postgres_pool import Pool
from ostiary.storage.statement import Query

T = TypeVar("T")

_OLDEST: Final = 15
_BROKEN_TO_RESOLVE: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
_TOO_SLOW: Final = (TimeoutError, asyncpg.QueryCanceledError, asyncpg.IdleInTransactionSessionTimeoutError)
# A connection that breaks while idle is noticed by the next statement; these are the ways in which it says so.
_GONE: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,  # shut down, crashed, starting
    asyncpg.InsufficientResourcesError,  # connections, memory, disk
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,
    OSError,
)


def _translate(error: Exception) -> Exception:
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return Conflict(error.constraint_name or "constraint")
    if isinstance(error, _BROKEN_TO_RESOLVE):
        return Contended(type(error).__name__)
    if isinstance(error, _TOO_SLOW):
        return too_slow("a statement")
    if isinstance(error, _GONE):
        return Unavailable(f"postgresql: {type(error).__name__}")
    return error


async def _ask(answer: Awaitable[T]) -> T:
    """What the server answers, or its error in our own families."""
    try:
        return await answer
    except Exception as error:
        ours = _translate(error)
        if ours is error:
            raise
        raise ours from error


class PostgresTransaction(Transaction):
    """One connection between BEGIN and COMMIT."""

    def __init__(self, connection: Any, tell: Observe) -> None:
        super().__init__()
        self._connection = connection
        self._tell = tell

    async def one(self, query: Query[T], **given: Any) -> T | None:
        compiled = query.on("postgresql")
        self._tell(query.name)
        row = await _ask(self._connection.fetchrow(compiled.sql, *compiled.arguments(given)))
        return None if row is None else query.row(row)

    async def all(self, query: Query[T], **given: Any) -> list[T]:
        compiled = query.on("postgresql")
        self._tell(query.name)
        rows = await _ask(self._connection.fetch(compiled.sql, *compiled.arguments(given)))
        return [query.row(row) for row in rows]

    async def run(self, query: Query[Any], **given: Any) -> int:
        compiled = query.on("postgresql")
        self._tell(query.name)
        status: str = await _ask(self._connection.execute(compiled.sql, *compiled.arguments(given)))
        return int(status.rpartition(" ")[2])


class PostgresDatabase(Database):
    """PostgreSQL 15 or newer, no extensions.

    Args:
        url: ``postgresql://user:password@host:port/name?target_session_attrs=…``.
        pool_size: Connections at most.
        prepared_statements: Off for pgbouncer in transaction mode.
    """

    dialect = "postgresql"

    def __init__(self, url: str, pool_size: int = 10, prepared_statements: bool = True) -> None:
        super().__init__()
        self._url = url
        self._pool_size = pool_size
        self._prepared = prepared_statements
        self._pool: Pool | None = None

    async def open(self) -> None:
        limits = {
            "application_name": "ostiary",
            "statement_timeout": str(int(STATEMENT_LIMIT.total_seconds() * 1000)),
            "idle_in_transaction_session_timeout": str(int(TRANSACTION_LIMIT.total_seconds() * 1000)),
        }
        pool = Pool(
            self._url,
            self._pool_size,
            command_timeout=STATEMENT_LIMIT.total_seconds() + 1,
            # pgbouncer refuses unknown start-up parameters and forgets prepared statements
            server_settings=limits if self._prepared else {"application_name": "ostiary"},
            statement_cache_size=512 if self._prepared else 0,
        )
        try:
            connection = await pool.take()
            version = await connection.fetchval("SHOW server_version_num")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            await pool.close()
            raise Unavailable(f"postgresql: cannot connect: {type(error).__name__}: {error}") from error
        pool.give(connection)
        if int(version) < _OLDEST * 10_000:
            await pool.close()
            raise Unavailable(f"postgresql: version {_OLDEST} or newer is needed, the server has {version}")
        self._pool = pool

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def one(self, query: Query[T], **given: Any) -> T | None:
        compiled = query.on("postgresql")
        self.tell(query.name)
        row = await self._fetch("fetchrow", compiled.sql, compiled.arguments(given))
        return None if row is None else query.row(row)

    async def all(self, query: Query[T], **given: Any) -> list[T]:
        compiled = query.on("postgresql")
        self.tell(query.name)
        rows = await self._fetch("fetch", compiled.sql, compiled.arguments(given))
        return [query.row(row) for row in rows]

    async def _fetch(self, method: str, sql: str, arguments: list[Any]) -> Any:
        pool = self._open_pool()
        connection = await _ask(pool.take())
        try:
            found = await _ask(getattr(connection, method)(sql, *arguments))
        except BaseException:
            # Perhaps it was cancelled in the middle, or too slow: nobody shall wait for what is still under way there.
            pool.drop(connection)
            raise
        pool.give(connection)
        return found

    def _open_pool(self) -> Pool:
        if self._pool is None:
            raise Unavailable("postgresql: the database is not open")
        return self._pool

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        with guard.mark_open():
            pool = self._open_pool()
            connection = await _ask(pool.take())
            try:
                async with self._begun(connection) as transaction:
                    yield transaction
            finally:
                pool.give(connection)
        for action in transaction.on_commit:
            action()

    @asynccontextmanager
    async def _begun(self, connection: Any) -> AsyncIterator[PostgresTransaction]:
        limit = asyncio.timeout(TRANSACTION_LIMIT.total_seconds())
        is_begun = False
        try:
            self.tell("begin")
            await _ask(connection.execute("BEGIN"))
            is_begun = True
            async with limit:
                transaction = PostgresTransaction(connection, self.tell)
                yield transaction
                await transaction.speak_last()
            self.tell("commit")
            await _ask(connection.execute("COMMIT"))
        except BaseException as error:
            await self._roll_back(connection, is_begun=is_begun)
            if isinstance(error, TimeoutError) and limit.expired():
                raise too_slow("a transaction") from error
            raise

    async def _roll_back(self, connection: Any, *, is_begun: bool) -> None:
        # A connection that broke has left our hands by itself: asking it anything is an InterfaceError.
        try:
            if not is_begun:
                connection.terminate()  # whether the server has begun is not known
            elif not connection.is_closed() and connection.is_in_transaction():
                self.tell("rollback")
                await asyncio.shield(connection.execute("ROLLBACK"))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, asyncio.CancelledError):
            with contextlib.suppress(asyncpg.InterfaceError):
                connection.terminate()  # the server rolls back what nobody ends
