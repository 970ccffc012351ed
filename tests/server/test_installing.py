"""From nothing to a running server, in the two ways that the README names."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.server import Server, environment, launch, mail_to
from tests.support.tree import ROOT, project_files

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PASSWORD = "quiet harbour seventeen lanterns"
# Stands between us and make, whose children do not die with it: ends the whole group when we end or say so.
_GUARD = """
import ctypes, os, signal, subprocess, sys
signal.signal(signal.SIGTERM, lambda *_: os.killpg(child.pid, signal.SIGTERM))
child = subprocess.Popen(sys.argv[2:], start_new_session=True)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != int(sys.argv[1]):
        os.killpg(child.pid, signal.SIGTERM)
sys.exit(child.wait())
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What git would give to somebody else, and nothing besides."""
    target = tmp_path / "clone"
    for path in project_files():
        place = target / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place)
    return target


async def _journey(server: Server) -> None:
    async with server.client() as browser:
        credentials = {"email": "anna@example.com", "password": PASSWORD}
        assert (await browser.post("/auth/register", json=credentials)).status_code == 202
        token = (await mail_to(server, "anna@example.com"))["links"][0].partition("=")[2]
        assert (await browser.post("/auth/email/verify", json={"token": token})).status_code == 200
        answer = await browser.post(
            "/auth/login", json={"identifier": "anna@example.com", "password": PASSWORD}
        )
        assert answer.json()["status"] == "complete"
        assert (await browser.get("/auth/session")).json()["user"]["email"] == "anna@example.com"


def _run(*command: str, cwd: Path) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=environment(), check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def _make_run(clone: Path, log: Path, *, port: int, data: Path) -> Server:
    command = ["make", "run", f"PORT={port}", f"DATA={data}"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _GUARD, str(os.getpid()), *command],
            cwd=clone, env=environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    return Server(process, f"http://127.0.0.1:{port}", log)


async def test_make_run_in_a_fresh_clone(clone: Path, tmp_path: Path) -> None:
    """`make run` in a clone fetches what it needs, serves the journey, and leaves the clone clean for git."""
    data = tmp_path / "data"
    _run("make", "install", f"PYTHON={sys.executable}", cwd=clone)
    server = _make_run(clone, tmp_path / "server.log", port=free_port(), data=data)
    try:
        await server.ready()
        await _journey(server)
        assert (data / "ostiary.db").exists()
    finally:
        server.signal(signal.SIGTERM)
        await server.ended()
    _run("git", "init", "--quiet", cwd=clone)
    listed = _run("git", "ls-files", "--others", "--exclude-standard", cwd=clone).split()
    assert set(listed) == {str(path.relative_to(ROOT)) for path in project_files()}


async def test_pip_install_gives_the_command(clone: Path, tmp_path: Path) -> None:
    """`pip install .` into a fresh environment, without any developer's tool, gives an `ostiary` that serves."""
    binaries = tmp_path / "venv" / "bin"
    _run(sys.executable, "-m", "venv", str(tmp_path / "venv"), cwd=clone)
    _run(str(binaries / "python"), "-m", "pip", "install", "--quiet", ".", cwd=clone)
    log = tmp_path / "server.log"
    program = (str(binaries / "ostiary"), "serve")
    arguments = ("--dev", "--data", str(tmp_path / "data"))
    server = launch(arguments, log, port=free_port(), settings={}, program=program)
    try:
        await server.ready()
        await _journey(server)
        assert await server.stop() == 0
    finally:
        server.process.kill()
        await server.ended()
