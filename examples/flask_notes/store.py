"""The application's own table, in its own SQLite file, through Python's own sqlite3."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

# author_id is the `id` of an ostiary account, kept by value: ostiary owns a SQLite file of its own, and a foreign key
# cannot lead into another file.
TABLE = """
CREATE TABLE IF NOT EXISTS note (
    id TEXT PRIMARY KEY DEFAULT (lower(hex(randomblob(16)))),
    author_id TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
)
"""
INDEX = "CREATE INDEX IF NOT EXISTS note_by_author ON note (author_id, created_at)"


@dataclass(frozen=True)
class Note:
    """One note."""

    id: str
    author_id: str
    title: str
    body: str
    created_at: str


class Notes:
    """All notes.

    Args:
        path: The SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def prepare(self) -> None:
        """Make the table, unless it is there."""
        with self._database() as database:
            database.execute(TABLE)
            database.execute(INDEX)

    def all(self) -> list[Note]:
        """Everybody's notes, the newest first."""
        with self._database() as database:
            rows = database.execute("SELECT * FROM note ORDER BY created_at DESC, rowid DESC")
            return [Note(*row) for row in rows]

    def of(self, author_id: str) -> list[Note]:
        """An author's notes, the newest first."""
        with self._database() as database:
            rows = database.execute(
                "SELECT * FROM note WHERE author_id = ? ORDER BY created_at DESC, rowid DESC", (author_id,)
            )
            return [Note(*row) for row in rows]

    def one(self, note_id: str) -> Note | None:
        """A note, whoever wrote it: ask who may see it."""
        with self._database() as database:
            found = database.execute("SELECT * FROM note WHERE id = ?", (note_id,)).fetchone()
            return None if found is None else Note(*found)

    def write(self, author_id: str, title: str, body: str) -> Note:
        """Keep a new note."""
        with self._database() as database:
            row = database.execute(
                "INSERT INTO note (author_id, title, body) VALUES (?, ?, ?) RETURNING *",
                (author_id, title, body),
            ).fetchone()
            return Note(*row)

    def delete(self, note_id: str) -> None:
        """Delete a note."""
        with self._database() as database:
            database.execute("DELETE FROM note WHERE id = ?", (note_id,))

    def delete_all(self, author_id: str) -> int:
        """Delete all of an author's notes; returns how many there were."""
        with self._database() as database:
            return database.execute("DELETE FROM note WHERE author_id = ?", (author_id,)).rowcount

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        # One connection per call, so no thread and no fork shares one. The inner `with` commits or rolls back.
        with closing(sqlite3.connect(self._path, timeout=10)) as database, database:
            yield database
