"""Owns making files that nobody but their owner can read."""

import os
from pathlib import Path

from ostiary.kernel.errors import Unavailable

_MODE = 0o600


def make_private(path: Path) -> None:
    """Make the file, empty and readable by its owner alone, unless it is there; SQLite's side files take its mode.

    Raises:
        Unavailable: the folder does not exist or cannot be written.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, _MODE))
    except OSError as error:
        raise Unavailable(f"cannot open {path}: {error.strerror}") from error
