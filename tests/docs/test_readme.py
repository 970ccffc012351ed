"""What the README and the guides tell people to type works as it is written."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ostiary.integrations import fastapi, starlette
from tests.docs.markdown import blocks, section
from tests.support.server import environment, production, serving
from tests.support.tree import ROOT

README = (ROOT / "README.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
INTEGRATIONS = ROOT / "docs" / "integrations"
FASTAPI = (INTEGRATIONS / "fastapi.md").read_text("utf-8")
BIN = Path(sys.executable).parent
PATIENCE = 60.0
# A plugin that only our own tests have installed takes longer to load than these tests.
PYTEST = "python -m pytest -q -W error -p no:cacheprovider -p no:schemathesis"


def shell(script: str, folder: Path, **more: str) -> str:
    """What a script prints; it must succeed."""
    surroundings = environment() | {"PATH": f"{BIN}:{os.environ['PATH']}"} | more
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(
        command, cwd=folder, env=surroundings, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_the_tour_of_the_readme_works(tmp_path: Path) -> None:
    """Register, prove the address, sign in, look, sign out: the README's block runs against a real server."""
    (tour,) = blocks(section(README, "The API in five minutes"), "sh")
    async with serving(tmp_path, "--dev", "--data", "data") as server:
        said = await asyncio.to_thread(shell, tour, tmp_path, BASE=server.url)
    answers = [line for line in said.splitlines() if line.startswith("{")]
    expected = (
        '"verification_sent"', '"verified"', '"complete"', '"principal"', '"current":true', '"code":"session_ended"',
    )  # fmt: skip
    assert len(answers) == len(expected)
    for answer, words in zip(answers, expected, strict=True):
        assert words in answer


def test_the_tour_talks_to_make_run() -> None:
    """Unless told otherwise the tour goes where `make run` listens."""
    (tour,) = blocks(section(README, "The API in five minutes"), "sh")
    assert tour.splitlines()[0] == "BASE=${BASE:-http://127.0.0.1:8000}"
    assert "PORT   ?= 8000" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CONTRIBUTING.md",
        "docs/operations.md",
        "docs/testing.md",
        "docs/integrations/fastapi.md",
        "docs/integrations/django.md",
    ],
)
def test_every_make_command_exists(name: str) -> None:
    """Whatever a guide tells people to make is a target."""
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = (ROOT / name).read_text("utf-8")
    named = set(re.findall(r"(?:`|^)make ([a-z][a-z-]*)", text, re.MULTILINE))
    assert named - targets == set()
    assert named or name.startswith("docs")


def test_the_readme_names_the_two_commands() -> None:
    """A newcomer finds how to run it and how to test it."""
    assert {"make run", "make test"} <= set(re.findall(r"make (?:run|test)\b", README))


def test_the_password_floor_is_changed_in_one_line(tmp_path: Path) -> None:
    """The line that the README gives for the password floor is a setting, and it does what it says."""
    (line,) = re.findall(r"^(OSTIARY_PASSWORD_MIN_LENGTH=\d+)", README, re.MULTILINE)
    name, value = line.split("=")
    program = (
        "import os\nfrom ostiary.core.passwords.settings import PasswordSettings as P\n"
        "from ostiary.engine.settings import from_environment\nfrom ostiary.kernel.settings import Settings\n"
        "print(Settings([P], from_environment([P], os.environ)).of(P).rules().min_length)"
    )
    assert shell(f"python -c '{program}'", tmp_path, **{name: value}).strip() == value == "15"


def test_the_example_of_the_testing_guide_passes(tmp_path: Path) -> None:
    """The test that docs/testing.md shows passes as a user would run it: the plugin comes with the package."""
    examples = blocks((ROOT / "docs" / "testing.md").read_text("utf-8"), "python")
    for number, example in enumerate(examples):
        (tmp_path / f"test_example_{number}.py").write_text(example)
    said = shell(f"{PYTEST} .", tmp_path)
    passed = re.search(r"(\d+) passed", said)
    assert passed is not None
    assert (
        int(passed[1]) == sum(len(re.findall(r"^async def test_", one, re.MULTILINE)) for one in examples) > 0
    )


_RIB_PROGRAM = """
import asyncio, pathlib, sys
import ostiary.features
ostiary.features.__path__.append(sys.argv[1])
from ostiary.engine.features import RIBS
from ostiary.features.greeting.manifest import RIB
from ostiary.testing import running

async def main():
    async with running(pathlib.Path(sys.argv[2]), ribs=(*RIBS, RIB), greeting_words="Good day") as kit:
        anna = await kit.signed_up("anna@example.com", name="Anna")
        assert (await anna.post("/auth/greeting")).json()["code"] == "not_authenticated"
        anna = await kit.sign_in("anna@example.com")
        answer = await anna.post("/auth/greeting")
        print(answer.status_code, answer.text)
        declared = {(line.method, line.path, line.access) for line in kit.engine.app.declared}
        assert ("POST", "/auth/greeting", "session") in declared
        from ostiary.core.journal.store import LATEST
        rows = await kit.engine.core.database.all(LATEST, limit=50)
        print(sorted(row.type for row in rows if row.type.startswith("greeting")))

asyncio.run(main())
"""


def test_the_rib_of_the_guide_works(tmp_path: Path) -> None:
    """The feature that CONTRIBUTING.md shows, written down file by file, plugs into the engine and answers."""
    folder = tmp_path / "features" / "greeting"
    folder.mkdir(parents=True)
    shown = blocks(section(CONTRIBUTING, "Add a rib"), "python")
    for block in shown:
        first = re.match(r"# src/ostiary/features/greeting/(\w+\.py)\n", block)
        assert first is not None, "each block begins with the name of its file"
        (folder / first[1]).write_text(block)
    program = tmp_path / "program.py"
    program.write_text(_RIB_PROGRAM)
    said = shell(f"python -W error {program} {folder.parent} {tmp_path}", tmp_path).splitlines()
    assert said == ['200 {"words":"Good day, Anna!"}', "['greeting_sent', 'greeting_welcome']"]


_VISIT = """
import re, sys, time
from app import app, auth
from starlette.testclient import TestClient

body = {"email": "mira@example.com", "password": "quiet harbour seventeen lanterns"}
with TestClient(app, base_url="http://127.0.0.1:8000") as client:
    print(client.get("/me").status_code)
    assert client.post("/auth/register", json=body).status_code == 202
    while not (mails := auth.engine.mailbox.messages()):
        time.sleep(0.05)
    token = re.search(r"token=([\\w-]+)", mails[0]["text"])[1]
    assert client.post("/auth/email/verify", json={"token": token}).status_code == 200
    client.post("/auth/login", json={"identifier": body["email"], "password": body["password"]})
    print(client.get("/me").json())
"""


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("README.md", "In your FastAPI app"),
        ("docs/integrations/fastapi.md", ""),
        ("docs/integrations/starlette.md", ""),
    ],
)
def test_the_lines_for_an_app_are_enough(tmp_path: Path, name: str, title: str) -> None:
    """The first example of the README and of its page is a whole application: 401, sign up, sign in, hello."""
    text = (ROOT / name).read_text("utf-8")
    (tmp_path / "app.py").write_text(blocks(section(text, title) if title else text, "python")[0])
    (tmp_path / "visit.py").write_text(_VISIT)
    said = shell("python -W error visit.py", tmp_path).splitlines()
    assert said == ["401", "{'hello': 'mira@example.com'}"]


def test_the_page_about_fastapi_shows_every_name_and_works(tmp_path: Path) -> None:
    """Its guards and their test run as they are written, its production settings start, and no name is left out."""
    shown = {block.splitlines()[0][2:]: block for block in blocks(FASTAPI, "python")}
    for file, block in shown.items():
        (tmp_path / file).write_text(block)
    assert "1 passed" in shell(f"{PYTEST} test_guards.py", tmp_path)
    given = production() | {"database": f"sqlite:///{tmp_path / 'auth.db'}"}
    settings = {f"OSTIARY_{name.upper()}": str(value) for name, value in given.items()}
    shell("python -W error production.py", tmp_path, **settings)
    missing = [name for name in fastapi.__all__ if not re.search(rf"\b{name}\b", "".join(shown.values()))]
    assert missing == []


def test_the_page_about_starlette_shows_every_name_and_works(tmp_path: Path) -> None:
    """Its blocks start as they are written, and no name is left out."""
    shown = {
        block.splitlines()[0][2:]: block
        for block in blocks((INTEGRATIONS / "starlette.md").read_text("utf-8"), "python")
    }
    for file, block in shown.items():
        (tmp_path / file).write_text(block)
    modules = ", ".join(file.removesuffix(".py") for file in shown)
    visit = (
        f"import {modules}\nfrom starlette.testclient import TestClient\n"
        "with TestClient(whole.app, base_url='http://127.0.0.1:8000') as client:\n"
        "    for path in ('/docs/a', '/docs2', '/staff/', '/login'):\n"
        "        answer = client.get(path)\n"
        "        print(answer.status_code, answer.headers['content-security-policy'][:18])\n"
    )
    (tmp_path / "visit.py").write_text(visit)
    said = shell("python -W error visit.py", tmp_path).splitlines()
    assert said == [
        "200 default-src 'self'", "401 default-src 'self'", "401 default-src 'self'", "200 default-src 'none'"
    ]  # fmt: skip
    missing = [name for name in starlette.__all__ if not re.search(rf"\b{name}\b", "".join(shown.values()))]
    assert missing == []
