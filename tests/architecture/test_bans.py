"""The linter refuses what only one place may use, and lets that place use it."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.tree import ROOT

RUFF = Path(sys.executable).parent / "ruff"

ALLOWED = [
    ("time.time", "kernel/world.py"),
    ("secrets", "kernel/world.py"),
    ("hmac.compare_digest", "kernel/secret.py"),
    ("httpcore2", "core/outgoing/client.py"),
    ("httpx2", "verifier/follow.py"),
    ("httpx2", "client/source.py"),
]


def bans() -> list[str]:
    """Return the names the linter knows as banned."""
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return sorted(configuration["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"])


def complaints(name: str, file: str) -> str:
    """Return what ruff says about a use of `name` in a file of the package."""
    outer, _, inner = name.rpartition(".")
    source = f"from {outer} import {inner}\n{inner}\n" if outer else f"import {name}\n{name}\n"
    if name.startswith(("datetime.", "sqlalchemy.func")):  # the last part is a method
        module, holder = outer.split(".")
        source = f"from {module} import {holder}\n{holder}.{inner}\n"
    done = subprocess.run(
        [RUFF, "check", "--select=TID251", "--no-cache", f"--stdin-filename=src/ostiary/{file}", "-"],
        input=source,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", bans())
def test_banned_names_are_refused(name: str) -> None:
    """A flow that reaches around the World, the executor or the outgoing client does not pass."""
    assert "TID251" in complaints(name, "features/one/flow.py")


@pytest.mark.parametrize(("name", "file"), ALLOWED)
def test_the_one_place_may(name: str, file: str) -> None:
    """The file that owns the thing may use it."""
    assert "TID251" not in complaints(name, file)
