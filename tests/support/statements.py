"""Owns counting what a piece of work asks of the database: the names of its statements, in their order."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ostiary.storage.database import Database

_heard: ContextVar[list[str] | None] = ContextVar("heard", default=None)


@contextmanager
def statements_of(database: Database) -> Iterator[list[str]]:
    """Collect names of statements, and of "begin", "commit" and "rollback", of this task and those that it begins.

    What other tasks do meanwhile (the worker, other requests) is not heard.
    """
    heard: list[str] = []
    token = _heard.set(heard)
    database.observe = _note
    try:
        yield heard
    finally:
        _heard.reset(token)


def _note(name: str) -> None:
    heard = _heard.get()
    if heard is not None:
        heard.append(name)
