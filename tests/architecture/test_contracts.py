"""Each import-linter contract holds on this tree, and complains about a tree that breaks it."""

import graphlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

from tests.support.tree import PACKAGE, ROOT

# (contract, files to add to the package, each with its only line or lines)
BREAKS: list[tuple[str, dict[str, str]]] = [
    ("layers", {"kernel/wrong.py": "import ostiary.storage.right", "storage/right.py": ""}),
    ("layers", {"kernel/wrong.py": "def f():\n    import ostiary.storage.right", "storage/right.py": ""}),
    (
        "layers",
        {
            "kernel/wrong.py": "import typing\nif typing.TYPE_CHECKING:\n    import ostiary.storage.right",
            "storage/right.py": "",
        },
    ),
    ("layers", {"core/wrong.py": "import ostiary.http.right", "http/right.py": ""}),
    ("layers", {"core/wrong.py": "import ostiary.verifier.right", "verifier/right.py": ""}),
    ("layers", {"features/one/wrong.py": "import ostiary.engine.right", "engine/right.py": ""}),
    ("layers", {"server/wrong.py": "import ostiary.testing.right", "testing/right.py": ""}),
    ("layers", {"attic/__init__.py": ""}),
    ("beside", {"verifier/wrong.py": "import ostiary.storage.right", "storage/right.py": ""}),
    ("beside", {"client/wrong.py": "import ostiary.core.right", "core/right.py": ""}),
    ("beside", {"client/wrong.py": "import ostiary.verifier.right", "verifier/right.py": ""}),
    ("ribs", {"features/one/wrong.py": "import ostiary.features.two.right", "features/two/right.py": ""}),
    (
        "manifests",
        {"engine/wrong.py": "import ostiary.features.one.manifest", "features/one/manifest.py": ""},
    ),
    ("front-door", {"kernel/wrong.py": "from ostiary import __version__"}),
    ("cycles", {"core/one.py": "import ostiary.core.two", "core/two.py": "import ostiary.core.one"}),
    *[
        ("drivers", {"core/wrong.py": f"import {driver}"})
        for driver in ("aiosqlite", "alembic", "asyncpg", "psycopg", "sqlite3")
    ],
    *[
        ("outgoing", {"features/one/wrong.py": f"import {client}"})
        for client in ("aiohttp", "httpcore", "httpcore2", "httpx", "httpx2", "requests", "urllib3")
    ],
    # A name that begins like the permitted one is another module, and nobody may hide in the server or a neighbour.
    *[
        ("outgoing", {where: "import httpcore2"})
        for where in ("core/outgoing_too.py", "core/mail/wrong.py", "server/wrong.py", "http/wrong.py")
    ],
    ("outgoing", {"features/one/wrong.py": "def f():\n    import httpcore2"}),
]


def contracts() -> dict[str, str]:
    """Return the names of the contracts in force, by id."""
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {each["id"]: each["name"] for each in configuration["tool"]["importlinter"]["contracts"]}


def lint(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the tree in `folder`, not on the installed one."""
    return subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache", "--no-logo", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_tree_keeps_every_contract() -> None:
    """No import in the package points the wrong way."""
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_waits_for_itself() -> None:
    """No cycle of imports exists between single modules, not even one through a package's `__init__`."""
    graph = grimp.build_graph("ostiary", cache_dir=None)
    order = graphlib.TopologicalSorter(
        {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    )
    order.prepare()  # raises CycleError, which names the cycle


def test_every_contract_is_broken_below() -> None:
    """A new contract needs a case that breaks it."""
    assert {contract for contract, _ in BREAKS} == set(contracts())


@pytest.mark.parametrize(
    ("contract", "files"), BREAKS, ids=[f"{contract}-{number}" for number, (contract, _) in enumerate(BREAKS)]
)
def test_a_broken_contract_is_reported(contract: str, files: dict[str, str], tmp_path: Path) -> None:
    """A tree that breaks the contract does not pass."""
    shutil.copytree(PACKAGE, tmp_path / "src" / "ostiary", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name, text in files.items():
        target = tmp_path / "src" / "ostiary" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        for package in target.relative_to(tmp_path / "src").parents:
            if package.name:
                (tmp_path / "src" / package / "__init__.py").touch()
        target.write_text(text + "\n")
    done = lint(tmp_path, "--contract", contract)
    assert done.returncode == 1
    assert f"{contracts()[contract]} BROKEN" in done.stdout, done.stdout + done.stderr
