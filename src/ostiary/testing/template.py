"""Owns an SQLite database with the tables and without a row, made once in a process and copied for each engine."""

import tempfile
from functools import cache
from pathlib import Path

from ostiary.storage import migrate


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory(prefix="ostiary-") as folder:
        path = Path(folder) / "template.db"
        migrate.upgrade(f"sqlite:///{path}")
        return path.read_bytes()


def copy_to(path: Path) -> None:
    """Put a copy at a path, unless a file is there: a second engine goes on with the rows of the first."""
    if not path.exists():
        path.write_bytes(_migrated())
