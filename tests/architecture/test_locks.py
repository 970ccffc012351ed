"""Lock files name public registries only, so that anybody can install what we tested."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.tree import ROOT, project_files

HOSTS = {
    "uv.lock": {"pypi.org", "files.pythonhosted.org"},
    "package-lock.json": {"registry.npmjs.org"},
}


def locks() -> list[Path]:
    """Return every lock file of the project."""
    return [path for path in project_files() if path.name in HOSTS]


def strings(value: object) -> Iterator[tuple[str, str]]:
    """Yield every text in a parsed file with the key it stands under."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, str):
                yield key, inner
            else:
                yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from ([("", inner)] if isinstance(inner, str) else strings(inner))


def foreign(lock: str, content: object) -> list[str]:
    """Return the sources in a lock that are not a public registry."""
    found: list[str] = []
    for key, text in strings(content):
        from_elsewhere = key in {"path", "directory", "git", "virtual"} or re.match(
            r"(?:file:|git\+|ssh:|/|\.\.)", text
        )
        other_host = (
            re.match(r"https?:", text) and key != "funding" and urlsplit(text).hostname not in HOSTS[lock]
        )
        if from_elsewhere or other_host or (key == "editable" and text != "."):
            found.append(f"{key} = {text}")
    return found


def test_the_python_lock_exists() -> None:
    """A fresh machine installs the versions that were tested."""
    assert ROOT / "uv.lock" in locks()


@pytest.mark.parametrize("lock", locks(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_locks_name_public_registries_only(lock: Path) -> None:
    """No mirror, no local folder, no repository stands in a lock."""
    text = lock.read_text()
    content: object = tomllib.loads(text) if lock.suffix == ".lock" else json.loads(text)
    if isinstance(content, dict) and lock.suffix == ".json":
        packages = content.get("packages", {}).values()
        content = [{"resolved": package["resolved"]} for package in packages if "resolved" in package]
    assert foreign(lock.name, content) == []


@pytest.mark.parametrize(
    "entry",
    [
        {"source": {"registry": "https://mirror.example/simple"}},
        {"wheels": [{"url": "http://files.pythonhosted.org.example/a.whl"}]},
        {"source": {"path": "wheels/a.whl"}},
        {"source": {"editable": "../a"}},
        {"source": {"git": "https://example.com/a"}},
        {"wheels": [{"url": "file:///wheels/a.whl"}]},
    ],
)
def test_a_foreign_source_is_seen(entry: object) -> None:
    """The check above can fail."""
    assert foreign("uv.lock", {"package": [entry]})
