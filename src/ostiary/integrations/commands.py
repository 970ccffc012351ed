"""Owns the way from a host's command line to ostiary's.

Nothing below the command line imports it, so it is found as the shell finds it: as the installed program.
"""

from collections.abc import Sequence
from importlib.metadata import entry_points

from ostiary.engine.engine import Engine
from ostiary.kernel.errors import Misuse


def run(engine: Engine, arguments: Sequence[str], name: str) -> None:
    """Run a command of ``ostiary`` on an application's engine, and end the process with its exit code.

    Args:
        engine: Not running.
        arguments: What was typed behind the name.
        name: As what the program is called, for its help.

    Raises:
        Misuse: the package is not installed, only found.
    """
    found = entry_points(group="console_scripts", name="ostiary")
    if not found:
        raise Misuse("the program `ostiary` is not installed: `pip install ostiary`")
    (program, *_) = found
    program.load()(list(arguments), name=name, engine=engine)
