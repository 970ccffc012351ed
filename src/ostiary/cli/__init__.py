"""The command line: ``ostiary``. Exit codes: 0 done, 1 refused, 2 misuse (settings, arguments), 3 unavailable."""

from ostiary.cli.main import main

__all__ = ["main"]
