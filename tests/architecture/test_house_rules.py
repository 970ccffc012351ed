"""Rules about files that no linter knows: their names, their length, their hidden imports."""

import ast
from collections.abc import Iterator

import pytest

from tests.support.tree import PACKAGE, ROOT, project_files, sources

LONGEST = 400
NAMELESS = {"utils", "util", "helpers", "helper", "common", "base", "manager", "managers", "misc"}

# "file -> imported module": the reason. An entry is a debt; mend the height of the module instead.
HIDDEN_IMPORTS: dict[str, str] = {}


def hidden_imports(tree: ast.AST) -> Iterator[str]:
    """Yield every ostiary module that is imported inside a function or under TYPE_CHECKING."""
    for node in ast.walk(tree):
        hides = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or (
            isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        )
        if hides:
            for inner in ast.walk(node):
                yield from _imported(inner)


def _imported(node: ast.AST) -> Iterator[str]:
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = ["ostiary" if node.level else node.module or ""]
    yield from (name for name in names if name.partition(".")[0] == "ostiary")


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    import ostiary.core",
        "async def f():\n    from ostiary.core import x",
        "class C:\n    def f(self):\n        from . import x",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ostiary.core import x",
        "import typing\nif typing.TYPE_CHECKING:\n    from ostiary.core import x",
    ],
)
def test_a_hidden_import_is_seen(source: str) -> None:
    """The rule below can fail."""
    assert list(hidden_imports(ast.parse(source)))


def test_no_import_is_hidden() -> None:
    """Whoever needs a hidden import of ours stands at the wrong height."""
    found = {
        f"{path.relative_to(ROOT)} -> {module}"
        for path in sources()
        for module in hidden_imports(ast.parse(path.read_text()))
    }
    assert found == set(HIDDEN_IMPORTS)


def test_every_module_owns_a_noun() -> None:
    """A file or folder named for nothing attracts everything."""
    code = [path.relative_to(ROOT) for path in project_files() if path.suffix == ".py"]
    assert [path for path in code if NAMELESS & set(path.with_suffix("").parts)] == []


def test_no_source_file_is_long() -> None:
    """A file is read in one sitting."""
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in sources()}
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}


def test_every_module_says_what_it_owns() -> None:
    """Every source file starts with a docstring."""
    silent = [path for path in sources() if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_the_package_is_typed() -> None:
    """Type checkers of host applications read our annotations."""
    assert (PACKAGE / "py.typed").is_file()
