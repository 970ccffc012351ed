"""Owns the knowledge whether a transaction is open in this task, so that wrong nesting is an error, not a deadlock.

A second transaction inside the first waits for itself on a one-writer SQLite and on a small pool; hashing or calling
out while one is open holds locks for as long as somebody else pleases.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from ostiary.kernel.errors import Misuse

_open: Final[ContextVar[bool]] = ContextVar("ostiary_transaction_open", default=False)


def refuse_if_open(doing: str) -> None:
    """Raise unless no transaction is open in this task.

    Raises:
        Misuse: one is open.
    """
    if _open.get():
        raise Misuse(f"{doing} while a database transaction is open: finish the transaction first")


@contextmanager
def mark_open() -> Iterator[None]:
    """For the executor: a transaction is open in this task until the block ends."""
    refuse_if_open("beginning a transaction")
    token = _open.set(True)
    try:
        yield
    finally:
        _open.reset(token)
