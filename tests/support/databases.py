"""Owns databases that already have the tables: copies of a file, and PostgreSQL's, emptied and lent again.

Making a database and bringing it to the schema costs a fifth of a second, which thousands of tests need not pay.
"""

import shutil
from pathlib import Path

import psycopg
from psycopg import sql

from ostiary.storage import migrate
from ostiary.storage.schema import VERSION_TABLE
from tests.support.postgres import PostgresServer

# Everything that statements can leave behind in a database besides rows; two equal answers, and only rows can differ.
_SHAPE = """
    SELECT md5(string_agg(line, '|' ORDER BY line)) FROM (
        SELECT concat_ws(' ', 'class', c.oid, relname, relkind, relowner, relacl::text, reloptions::text) AS line
          FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'public'
        UNION ALL
        SELECT concat_ws(' ', 'column', attrelid, attname, atttypid, attnotnull, attisdropped)
          FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
         WHERE nspname = 'public'
        UNION ALL SELECT concat_ws(' ', 'constraint', oid, conname) FROM pg_constraint
        UNION ALL SELECT concat_ws(' ', 'trigger', oid, tgname, tgenabled) FROM pg_trigger
        UNION ALL SELECT concat_ws(' ', 'function', oid, proname) FROM pg_proc WHERE oid >= 16384
        UNION ALL SELECT concat_ws(' ', 'schema', oid, nspname) FROM pg_namespace WHERE oid >= 16384
        UNION ALL SELECT concat_ws(' ', 'setting', setdatabase, setrole, setconfig::text) FROM pg_db_role_setting
    ) AS shape
"""
_TABLES = """
    SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
     WHERE nspname = 'public' AND relkind = 'r' AND relname <> %s
"""
# A sequence may have run although no row is left.
_RESTART = """
    SELECT setval(format('%I.%I', schemaname, sequencename), start_value, false)
      FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL
"""


class MigratedFile:
    """An SQLite database with the tables and without a row, to be copied."""

    def __init__(self, folder: Path) -> None:
        """Make it.

        Args:
            folder: Where it lies.
        """
        self._path = folder / "template.db"
        migrate.upgrade(f"sqlite:///{self._path}")
        for name in ("-wal", "-shm"):
            leftover = self._path.with_name(self._path.name + name)
            assert not leftover.exists(), f"{leftover} holds what the file itself should"

    def copy(self, to: Path) -> str:
        """Copy it, and return the copy's URL."""
        shutil.copy(self._path, to)
        return f"sqlite:///{to}"


class Stock:
    """Databases of one PostgreSQL server with the tables and without a row."""

    def __init__(self, server: PostgresServer) -> None:
        """Start with none; each is made when there is none to lend.

        Args:
            server: Where they are.
        """
        self._server = server
        self._idle: list[str] = []
        self._shapes: dict[str, str] = {}
        self._tables: list[str] = []

    def take(self) -> str:
        """The URL of a database for the caller alone."""
        if self._idle:
            return self._idle.pop()
        url = self._server.create_database()
        migrate.upgrade(url)
        with self._connect(url) as connection:
            self._shapes[url] = _shape(connection)
            self._tables = [name for (name,) in connection.execute(_TABLES, [VERSION_TABLE]).fetchall()]
        return url

    def give_back(self, url: str) -> None:
        """Empty a database for the next one; one that has lost its shape is dropped instead."""
        name = url.rpartition("/")[2]
        with self._connect(url) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = %s AND pid <> pg_backend_pid()",
                [name],
            )
            is_as_made = _shape(connection) == self._shapes[url]
            if is_as_made:
                # Only what was used: emptying a table costs a file even if nothing is in it.
                question = sql.SQL(" UNION ALL ").join(
                    sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(
                        sql.Literal(table), sql.Identifier(table)
                    )
                    for table in self._tables
                )
                used = [sql.Identifier(table) for (table,) in connection.execute(question).fetchall()]
                if used:
                    connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(", ").join(used)))
                connection.execute(_RESTART)
        if is_as_made:
            self._idle.append(url)
        else:
            self._server.drop_database(url)

    def _connect(self, url: str) -> psycopg.Connection:
        where = self._server.admin_url.rpartition("/")[0]
        return psycopg.connect(f"{where}/{url.rpartition('/')[2]}", autocommit=True)


def _shape(connection: psycopg.Connection) -> str:
    found = connection.execute(_SHAPE).fetchone()
    assert found is not None
    return str(found[0])
