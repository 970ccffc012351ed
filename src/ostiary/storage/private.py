"""Owns making files that nobody but their owner can read."""

import os
from pathlib import Path

from ostiary.kernel.errors import Unavailable

_MODE = 0o600


def make_private(path: Path) -> None:
    """Make the file, empty, unless it is there, and let only its owner read it; SQLite's side files take its mode.

    Raises:
        Unavailable: the folder does not exist or cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, _MODE)
        try:
            if os.fstat(descriptor).st_mode & 0o077:  # a restored backup, say
                os.fchmod(descriptor, _MODE)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Unavailable(f"cannot open {path}: {error.strerror}") from error
