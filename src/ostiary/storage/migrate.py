"""Owns bringing a database to the schema of this version, and telling whether it is there.

Blocking: call it before the event loop serves anybody, or in a thread.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from ostiary.kernel.errors import Misuse, Unavailable
from ostiary.storage.connect import sqlite_path
from ostiary.storage.private import make_private
from ostiary.storage.schema import VERSION_TABLE, metadata

# Any number of processes may start at once; on PostgreSQL this lock lets one migrate while the others wait.
_MIGRATION_LOCK: Final = 0x6F737469617279
_WAIT_MS: Final = 60_000
_PAUSE_MS: Final = 20


def _config(connection: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "ostiary.storage:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, metadata=metadata)
    return config


@cache
def newest() -> str:
    """The revision that this version of ostiary needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise Misuse("the package contains no migrations: it is not installed correctly")
    return head


def _switch_to_wal(connection: sa.Connection) -> None:
    """Choose the journal; of several processes that begin with a new file SQLite lets one, and refuses the rest."""
    for _ in range(_WAIT_MS // _PAUSE_MS):
        try:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        except sa.exc.OperationalError as error:
            if getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(_PAUSE_MS / 1000)
        else:
            return
    raise Unavailable("database: cannot migrate: another process keeps the file locked")


@contextmanager
def _connection(url: str) -> Iterator[sa.Connection]:
    path = sqlite_path(url)
    if path is not None:
        make_private(path)
        engine = sa.create_engine(
            f"sqlite:///{path}", poolclass=sa.NullPool, connect_args={"isolation_level": None, "timeout": 60}
        )
    else:
        plain = sa.make_url(url)
        engine = sa.create_engine(plain.set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            if path is not None:
                _switch_to_wal(connection)
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.exec_driver_sql(f"SET lock_timeout = {_WAIT_MS}")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            yield connection
            connection.exec_driver_sql("COMMIT") if path is not None else connection.commit()
    except sa.exc.OperationalError as error:
        raise Unavailable(f"database: cannot migrate: {error.orig}") from error
    finally:
        engine.dispose()


def current(url: str) -> str | None:
    """The revision that a database has; None for one that ostiary never touched.

    Raises:
        Unavailable: it cannot be reached.
    """
    with _connection(url) as connection:
        return MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE}
        ).get_current_revision()


def upgrade(url: str) -> tuple[str | None, str]:
    """Bring a database to the newest revision, in one transaction; nothing happens when it is there.

    Returns:
        The revision before and after.

    Raises:
        Misuse: the database is newer than this version of ostiary.
        Unavailable: it cannot be reached.
    """
    with _connection(url) as connection:
        before = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE}
        ).get_current_revision()
        if before != newest():
            _refuse_newer(before)
            command.upgrade(_config(connection), "head")
    return before, newest()


def _refuse_newer(revision: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise Misuse(
            f"the database has schema revision {revision}, which this version of ostiary does not know: "
            "it was migrated by a newer one. Install that version, or restore the backup from before the upgrade"
        )


def check(url: str) -> None:
    """Refuse a database whose schema is not the one that this version needs.

    Raises:
        Misuse: it is not; the message says how to mend it.
        Unavailable: it cannot be reached.
    """
    found, needed = current(url), newest()
    if found == needed:
        return
    _refuse_newer(found)
    state = "is empty" if found is None else f"has schema revision {found}"
    raise Misuse(
        f"the database {state}, revision {needed} is needed: run `ostiary migrate` (make a backup first)"
    )
