"""Owns a pool of asyncpg connections: so many at most, made when they are needed, handed on in the order of asking.

Why not asyncpg's own: the task and the proxy for each time that a connection is taken and given back cost more than a
read by key itself, for services that are not used here: session state to reset, connections to renew after so many
queries.
"""

import asyncio
from collections import deque
from typing import Any, Final

import asyncpg

from ostiary.kernel.errors import Unavailable
from ostiary.storage.database import STATEMENT_LIMIT

_PATIENCE: Final = STATEMENT_LIMIT.total_seconds()


def _closed() -> Unavailable:
    return Unavailable("postgresql: the database is not open")


class Pool:
    """Connections to one database.

    Args:
        url: Where to.
        size: How many at most.
        given: For `asyncpg.connect`.
    """

    def __init__(self, url: str, size: int, **given: Any) -> None:
        self._url = url
        self._size = size
        self._given = given
        self._places = (
            0  # taken by a connection, by one that is being made, or promised to somebody who waits
        )
        self._idle: list[Any] = []
        self._all: set[Any] = set()
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._is_closed = False
        self._is_empty = asyncio.Event()

    async def take(self) -> Any:
        """A connection for the caller alone, until it is given back.

        Raises:
            TimeoutError: there was none in time.
            Unavailable: the pool is closed.
            Exception: asyncpg's, from connecting.
        """
        if self._is_closed:
            raise _closed()
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._forget(connection)
        async with asyncio.timeout(_PATIENCE):
            if self._places < self._size:
                self._places += 1
            elif (connection := await self._wait()) is not None:
                return connection
            return await self._make()

    def give(self, connection: Any) -> None:
        """Give a connection back on which nothing is under way; one that has closed makes room for another."""
        if self._is_closed or connection.is_closed():
            self.drop(connection)
        elif not self._hand_on(connection):
            self._idle.append(connection)

    def drop(self, connection: Any) -> None:
        """Give a connection back that is in nobody knows what state: it is cut, and the server rolls back."""
        connection.terminate()
        self._forget(connection)

    async def close(self) -> None:
        """Close every connection; those in use when they are given back, or after five seconds."""
        self._is_closed = True
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(_closed())
        idle, self._idle = self._idle, []
        try:
            async with asyncio.timeout(_PATIENCE):
                for connection in idle:
                    await connection.close()
                    self._forget(connection)
                if self._all:
                    await self._is_empty.wait()
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            for connection in list(self._all):
                connection.terminate()

    async def _make(self) -> Any:
        """Fill a place that is the caller's."""
        try:
            connection = await asyncpg.connect(self._url, **self._given)
        except BaseException:
            self._free_place()
            raise
        self._all.add(connection)
        self._is_empty.clear()
        return connection

    async def _wait(self) -> Any:
        """A connection that somebody gives back, or None: then a place is free, and the caller's."""
        mine: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        try:
            return await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled() and mine.exception() is None:
                # It came in the very moment in which the caller left.
                if (connection := mine.result()) is None:
                    self._free_place()
                else:
                    self.give(connection)
            raise

    def _hand_on(self, connection: Any) -> bool:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(connection)
                return True
        return False

    def _free_place(self) -> None:
        if not self._hand_on(None):
            self._places -= 1

    def _forget(self, connection: Any) -> None:
        self._all.discard(connection)
        self._free_place()
        if not self._all:
            self._is_empty.set()
