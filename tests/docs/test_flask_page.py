"""The page about Flask shows every name, and what it shows works, from the first lines to the command line."""

import importlib
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ostiary.integrations import flask
from ostiary.testing.kit import PASSWORD
from tests.docs.markdown import blocks, section
from tests.support.tree import ROOT

PAGE = (ROOT / "docs" / "integrations" / "flask.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
SHOWN = {block.splitlines()[0][2:]: block for block in blocks(PAGE, "python")}
MIRA = "mira@example.com"


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """What the page shows, as files that were imported in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    mask = os.umask(0o022)  # the command line changes it
    for file, block in SHOWN.items():
        (tmp_path / file).write_text(block)
    names = [file.removesuffix(".py") for file in SHOWN]
    assert not sys.modules.keys() & set(names)
    found = {name: importlib.import_module(name) for name in names}
    yield found
    for name in names:
        del sys.modules[name]
    for name in ("app", "shop"):
        found[name].auth.stop()
    os.umask(mask)


def test_the_first_lines_are_a_whole_application(shown: dict[str, ModuleType]) -> None:
    """They are the README's, too: 401, sign up, sign in, hello. And `flask ostiary` works on the application's own
    database and roles, and on nothing else."""
    assert blocks(section(README, "In your FastAPI app"), "python")[1] == SHOWN["app.py"].partition("\n")[2]
    app, shop = shown["app"], shown["shop"]
    client = app.app.test_client()
    assert (client.get("/me").status_code, shop.app.test_client().post("/upgrade").status_code) == (401, 401)
    body = {"email": MIRA, "password": PASSWORD}
    assert client.post("/auth/register", json=body).status_code == 202
    deadline = time.monotonic() + 60
    while not (mails := app.auth.engine.mailbox.messages()):
        assert time.monotonic() < deadline, "no mail came"
        time.sleep(0.02)
    (token,) = re.findall(r"token=([\w-]+)", mails[0]["text"])
    assert client.post("/auth/email/verify", json={"token": token}).status_code == 200
    client.post("/auth/login", json={"identifier": MIRA, "password": PASSWORD})
    assert client.get("/me").json == {"hello": MIRA}

    assert re.search("^editor +code +reports", _typed(shop, 0, "roles", "list"), re.MULTILINE)
    _typed(shop, 0, "roles", "grant", MIRA, "editor")
    assert '"editor"' in _typed(shop, 0, "users", "export", MIRA)
    assert "leave --data" in _typed(shop, 2, "migrate", "--database", "sqlite:///other.db")
    assert not Path("other.db").exists()
    assert "stand-alone" in _typed(shop, 2, "serve")


def _typed(application: Any, status: int, *arguments: str) -> str:
    done = application.app.test_cli_runner().invoke(args=["ostiary", *arguments])
    assert done.exit_code == status, done.output
    return str(done.output)


def test_its_guards_pass_the_test_of_the_page(shown: dict[str, ModuleType], tmp_path: Path) -> None:
    """As it is written; and no name of the module is left out."""
    shown["test_guards"].test_everything_is_deleted_with_a_fresh_proof_only(tmp_path)
    missing = [name for name in flask.__all__ if not re.search(rf"\b{name}\b", "".join(SHOWN.values()))]
    assert missing == []
