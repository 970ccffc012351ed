"""Owns the reading of a database URL."""

from pathlib import Path
from urllib.parse import urlsplit

from ostiary.kernel.errors import Misuse
from ostiary.storage.database import Database
from ostiary.storage.postgres import PostgresDatabase
from ostiary.storage.sqlite import SqliteDatabase

_MEND = 'give "sqlite:///path/to/file.db" or "postgresql://user:password@host/name"'


def sqlite_path(url: str) -> Path | None:
    """The file behind a SQLite URL; None for any other URL.

    Raises:
        Misuse: it names no file (an in-memory database cannot be shared by several connections).
    """
    if not url.startswith("sqlite:"):
        return None
    if not url.startswith("sqlite:///") or url == "sqlite:///" or ":memory:" in url:
        raise Misuse(f"database: a SQLite URL must name a file; {_MEND}")
    return Path(url.removeprefix("sqlite:///"))


def database_for(url: str, *, pool_size: int, prepared_statements: bool) -> Database:
    """The executor for a URL.

    Raises:
        Misuse: the scheme is none that ostiary speaks.
    """
    if (path := sqlite_path(url)) is not None:
        return SqliteDatabase(path)
    if urlsplit(url).scheme in ("postgresql", "postgres"):
        return PostgresDatabase(url, pool_size, prepared_statements)
    raise Misuse(f"database: unknown kind of URL; {_MEND}")
