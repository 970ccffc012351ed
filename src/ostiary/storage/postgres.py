"""Owns the PostgreSQL executor: a pool of asyncpg connections, every statement under a time limit."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
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


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        ours = _translate(error)
        if ours is error:
            raise
        raise ours from error


async def _keep(connection: Any) -> None:
    """Instead of asyncpg's reset query on release: we set no session state, and it costs a round trip."""


class PostgresTransaction(Transaction):
    """One connection between BEGIN and COMMIT."""

    def __init__(self, connection: Any, tell: Observe) -> None:
        super().__init__()
        self._connection = connection
        self._tell = tell

    async def one(self, query: Query[T], **given: Any) -> T | None:
        compiled = query.on("postgresql")
        self._tell(query.name)
        with _translated():
            row = await self._connection.fetchrow(compiled.sql, *compiled.arguments(given))
        return None if row is None else query.row(row)

    async def all(self, query: Query[T], **given: Any) -> list[T]:
        compiled = query.on("postgresql")
        self._tell(query.name)
        with _translated():
            rows = await self._connection.fetch(compiled.sql, *compiled.arguments(given))
        return [query.row(row) for row in rows]

    async def run(self, query: Query[Any], **given: Any) -> int:
        compiled = query.on("postgresql")
        self._tell(query.name)
        with _translated():
            status: str = await self._connection.execute(compiled.sql, *compiled.arguments(given))
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
            version = await self._pool.fetchval("SHOW server_version_num")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            raise Unavailable(f"postgresql: cannot connect: {type(error).__name__}: {error}") from error
        if int(version) < _OLDEST * 10_000:
            await self.close()
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
        self.tell(query.name)
        row = await self._fetch("fetchrow", compiled.sql, compiled.arguments(given))
        return None if row is None else query.row(row)

    async def all(self, query: Query[T], **given: Any) -> list[T]:
        compiled = query.on("postgresql")
        self.tell(query.name)
        rows = await self._fetch("fetch", compiled.sql, compiled.arguments(given))
        return [query.row(row) for row in rows]

    async def _fetch(self, method: str, sql: str, arguments: list[Any]) -> Any:
        with _translated():
            connection = await self._acquire()
            try:
                return await getattr(connection, method)(sql, *arguments)
            finally:
                await self._pool.release(connection)

    async def _acquire(self) -> Any:
        if self._pool is None:
            raise Unavailable("postgresql: the database is not open")
        return await self._pool.acquire(timeout=STATEMENT_LIMIT.total_seconds())

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        with guard.mark_open():
            with _translated():
                connection = await self._acquire()
            try:
                async with self._begun(connection) as transaction:
                    yield transaction
            finally:
                with _translated():
                    await self._pool.release(connection)
        for action in transaction.on_commit:
            action()

    @asynccontextmanager
    async def _begun(self, connection: Any) -> AsyncIterator[PostgresTransaction]:
        limit = asyncio.timeout(TRANSACTION_LIMIT.total_seconds())
        try:
            self.tell("begin")
            await self._say(connection, "BEGIN")
            async with limit:
                transaction = PostgresTransaction(connection, self.tell)
                yield transaction
                await transaction.speak_last()
            self.tell("commit")
            await self._say(connection, "COMMIT")
        except BaseException as error:
            await self._roll_back(connection)
            if isinstance(error, TimeoutError) and limit.expired():
                raise too_slow("a transaction") from error
            raise

    @staticmethod
    async def _say(connection: Any, words: str) -> None:
        with _translated():
            await connection.execute(words)

    async def _roll_back(self, connection: Any) -> None:
        # A connection that broke has left our hands by itself: asking it anything is an InterfaceError.
        try:
            if not connection.is_closed() and connection.is_in_transaction():
                self.tell("rollback")
                await asyncio.shield(connection.execute("ROLLBACK"))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, asyncio.CancelledError):
            with contextlib.suppress(asyncpg.InterfaceError):
                connection.terminate()  # the server rolls back what nobody ends
