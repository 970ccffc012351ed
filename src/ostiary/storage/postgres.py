"""Owns the PostgreSQL executor: a pool of asyncpg connections, every statement under a time limit."""

import asyncio
from collections.abc import AsyncIterator
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
    Transaction,
    too_slow,
)
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
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
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


async def _keep(connection: Any) -> None:
    """Instead of asyncpg's reset query on release: we set no session state, and it costs a round trip."""


class PostgresTransaction(Transaction):
    """One connection between BEGIN and COMMIT."""

    def __init__(self, connection: Any) -> None:
        super().__init__()
        self._connection = connection

    async def one(self, query: Query[T], **given: Any) -> T | None:
        compiled = query.on("postgresql")
        try:
            row = await self._connection.fetchrow(compiled.sql, *compiled.arguments(given))
        except Exception as error:
            raise _translate(error) from error
        return None if row is None else query.row(row)

    async def all(self, query: Query[T], **given: Any) -> list[T]:
        compiled = query.on("postgresql")
        try:
            rows = await self._connection.fetch(compiled.sql, *compiled.arguments(given))
        except Exception as error:
            raise _translate(error) from error
        return [query.row(row) for row in rows]

    async def run(self, query: Query[Any], **given: Any) -> int:
        compiled = query.on("postgresql")
        try:
            status: str = await self._connection.execute(compiled.sql, *compiled.arguments(given))
        except Exception as error:
            raise _translate(error) from error
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
        self._url = url
        self._pool_size = pool_size
        self._prepared = prepared_statements
        self._pool: Any = None

    async def open(self) -> None:
        limits = {
            "application_name": "ostiary",
            "statement_timeout": str(int(STATEMENT_LIMIT.total_seconds() * 1000)),
            "idle_in_transaction_session_timeout": str(int(TRANSACTION_LIMIT.total_seconds() * 1000)),
        }
        try:
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=1,
                max_size=self._pool_size,
                command_timeout=STATEMENT_LIMIT.total_seconds() + 1,
                timeout=STATEMENT_LIMIT.total_seconds(),
                reset=_keep,
                max_inactive_connection_lifetime=0,
                # pgbouncer refuses unknown start-up parameters and forgets prepared statements
                server_settings=limits if self._prepared else {"application_name": "ostiary"},
                statement_cache_size=512 if self._prepared else 0,
            )
        except asyncpg.PostgresError as error:
            raise Unavailable(f"postgresql: cannot connect: {type(error).__name__}: {error}") from error
        except (OSError, TimeoutError) as error:
            raise Unavailable(f"postgresql: cannot connect: {type(error).__name__}: {error}") from error
        version = await self._pool.fetchval("SHOW server_version_num")
        if int(version) < _OLDEST * 10_000:
            raise Unavailable(f"postgresql: version {_OLDEST} or newer is needed, the server has {version}")

    async def close(self) -> None:
        if self._pool is not None:
            try:
                await asyncio.wait_for(self._pool.close(), STATEMENT_LIMIT.total_seconds())
            except TimeoutError:
                self._pool.terminate()
            self._pool = None

    async def one(self, query: Query[T], **given: Any) -> T | None:
        compiled = query.on("postgresql")
        row = await self._fetch("fetchrow", compiled.sql, compiled.arguments(given))
        return None if row is None else query.row(row)

    async def all(self, query: Query[T], **given: Any) -> list[T]:
        compiled = query.on("postgresql")
        rows = await self._fetch("fetch", compiled.sql, compiled.arguments(given))
        return [query.row(row) for row in rows]

    async def _fetch(self, method: str, sql: str, arguments: list[Any]) -> Any:
        try:
            connection = await self._acquire()
            try:
                return await getattr(connection, method)(sql, *arguments)
            finally:
                await self._pool.release(connection)
        except Exception as error:
            raise _translate(error) from error

    async def _acquire(self) -> Any:
        if self._pool is None:
            raise Unavailable("postgresql: the database is not open")
        return await self._pool.acquire(timeout=STATEMENT_LIMIT.total_seconds())

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        with guard.mark_open():
            try:
                connection = await self._acquire()
            except Exception as error:
                raise _translate(error) from error
            try:
                async with self._begun(connection) as transaction:
                    yield transaction
            finally:
                await self._pool.release(connection)
        for action in transaction.on_commit:
            action()

    @asynccontextmanager
    async def _begun(self, connection: Any) -> AsyncIterator[PostgresTransaction]:
        try:
            await connection.execute("BEGIN")
            async with asyncio.timeout(TRANSACTION_LIMIT.total_seconds()):
                transaction = PostgresTransaction(connection)
                yield transaction
            await connection.execute("COMMIT")
        except BaseException as error:
            if not connection.is_closed() and connection.is_in_transaction():
                await self._roll_back(connection)
            if isinstance(error, TimeoutError):
                raise too_slow("a transaction") from error
            if isinstance(error, Exception):
                raise _translate(error) from error
            raise

    @staticmethod
    async def _roll_back(connection: Any) -> None:
        try:
            await asyncio.shield(connection.execute("ROLLBACK"))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, asyncio.CancelledError):
            connection.terminate()  # the server rolls back what nobody ends
