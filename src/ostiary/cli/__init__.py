"""The command line: ``ostiary``. Exit codes: 0 done, 1 refused, 2 misuse (settings, arguments), 3 unavailable."""

import gc

# What is imported stays to the end. Looking through all of it again and again costs a sixth of the start.
gc.disable()

from ostiary.cli.main import main  # noqa: E402  # the imports are what this is about

gc.freeze()
gc.enable()

__all__ = ["main"]
