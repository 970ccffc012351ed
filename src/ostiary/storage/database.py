"""Owns what every executor promises: reads, one transaction at a time per task, and errors of our own families."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any, Final, TypeVar

from ostiary.kernel.errors import Unavailable
from ostiary.storage.statement import Query

T = TypeVar("T")

STATEMENT_LIMIT: Final = timedelta(seconds=5)
TRANSACTION_LIMIT: Final = timedelta(seconds=10)

Observe = Callable[[str], None]
"""Told in the task that caused it, and before it runs, of every statement by its name, and of "begin", "commit" and
"rollback": what a flow asks of the database can be counted."""


class Conflict(Exception):
    """A uniqueness or foreign-key rule refused a write: somebody else was first."""


class Contended(Exception):
    """The database broke the transaction to end a deadlock or a serialization failure; running it again may work."""


class Reads(ABC):
    """Something statements can be run on to read."""

    @abstractmethod
    async def one(self, query: Query[T], **given: Any) -> T | None:
        """The first row, or None.

        Raises:
            Unavailable: the database did not answer in time, or is gone.
        """

    @abstractmethod
    async def all(self, query: Query[T], **given: Any) -> list[T]:
        """Every row, in the statement's order."""


class Transaction(Reads):
    """An open write transaction. Reads in it see its own writes."""

    def __init__(self) -> None:
        self._last: list[Callable[[], Awaitable[None]]] = []
        self.on_commit: list[Callable[[], None]] = []

    @abstractmethod
    async def run(self, query: Query[Any], **given: Any) -> int:
        """Execute and return how many rows were touched.

        Raises:
            Conflict: a uniqueness or foreign-key rule refused it.
            Contended: the whole transaction is lost and may be run again.
        """

    def before_commit(self, action: Callable[[], Awaitable[None]]) -> None:
        """Await `action` at the end of the block, while the transaction is still open; never when it is rolled back."""
        self._last.append(action)

    async def speak_last(self) -> None:
        """For the executor: await what waits for the end of the block."""
        for action in self._last:
            await action()

    def after_commit(self, action: Callable[[], None]) -> None:
        """Call `action` once the transaction is durable; never when it was rolled back."""
        self.on_commit.append(action)


class Database(Reads):
    """A place that keeps the truth.

    Attributes:
        observe: Who is told of every statement, for counting; normally nobody.
    """

    dialect: str

    def __init__(self) -> None:
        self.observe: Observe | None = None

    def tell(self, name: str) -> None:
        """For the executor: tell the observer, if there is one."""
        if self.observe is not None:
            self.observe(name)

    @abstractmethod
    async def open(self) -> None:
        """Connect.

        Raises:
            Unavailable: the database cannot be reached.
        """

    @abstractmethod
    async def close(self) -> None:
        """Give every connection back."""

    @abstractmethod
    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A write transaction: committed at the end of the block, rolled back when an exception leaves it.

        Raises:
            Misuse: this task already has one open.
            Unavailable: none could be begun or committed in time.
        """


def too_slow(what: str) -> Unavailable:
    """The error for a database that answers too late (L35)."""
    return Unavailable(f"database: {what} took too long")
