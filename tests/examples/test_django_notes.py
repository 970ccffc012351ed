"""The Django example over real HTTP, under uvicorn and under gunicorn with two processes: whose notes are whose."""

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.examples.notes import answers, signed_in
from tests.support.gunicorn import gunicorn
from tests.support.ports import free_port
from tests.support.server import Server, environment, launch
from tests.support.tree import ROOT

UVICORN = (
    sys.executable, "-W", "error", "-m", "uvicorn", "examples.django_notes.asgi:application", "--app-dir", str(ROOT)
)  # fmt: skip
GUNICORN = gunicorn("examples.django_notes.wsgi", "--preload", "--workers", "2", "--threads", "4")
HTML = {"accept": "text/html", "sec-fetch-mode": "navigate"}


@asynccontextmanager
async def serving_notes(folder: Path, program: Sequence[str]) -> AsyncIterator[Server]:
    """The example, migrated and answering; ended in order."""
    port, env = free_port(), shutil.which("env")
    assert env is not None
    given = {"NOTES_DATA": str(folder / "data"), "NOTES_URL": f"http://127.0.0.1:{port}"}
    migrate = [sys.executable, "-W", "error", "-m", "examples.django_notes.manage", "migrate", "--no-input"]
    await asyncio.to_thread(
        subprocess.run, migrate, cwd=ROOT, env=environment() | given, check=True, capture_output=True
    )
    surroundings = [f"{name}={value}" for name, value in given.items()]
    server = launch((), folder / "notes.log", port=port, settings={}, program=[env, *surroundings, *program])
    try:
        await answers(server)
        yield server
    finally:
        if server.process.poll() is None:
            await server.stop()


@pytest.mark.parametrize("program", [UVICORN, GUNICORN], ids=["uvicorn", "gunicorn"])
async def test_the_notes_of_the_django_example(tmp_path: Path, program: Sequence[str]) -> None:
    """Notes are their author's alone, nobody and no call without proof changes any, pages escape; it ends in order."""
    async with serving_notes(tmp_path, program) as server:
        await _walk(server)
    assert "Traceback" not in server.said, server.said
    assert "Warning" not in server.said, server.said


async def _walk(server: Server) -> None:
    calls = (
        ("GET", "/api/notes"), ("POST", "/api/notes"), ("DELETE", "/api/notes"), ("GET", "/api/notes/00"),
        ("DELETE", "/api/notes/00"),
    )  # fmt: skip
    async with server.client() as nobody:
        for method, path in calls:
            refused = await nobody.request(method, path, json={"title": "x"} if method == "POST" else None)
            assert (refused.status_code, refused.json()["code"]) == (401, "not_authenticated")
        away = await nobody.get("/notes", headers=HTML)
        assert (away.status_code, away.headers["location"]) == (303, "/login?next=/notes")
        assert (await nobody.get(away.headers["location"])).status_code == 200
        assert 'href="/signup?next=/notes"' in (await nobody.get("/")).text
    async with signed_in(server, "anna@example.com") as anna, signed_in(server, "ben@example.com") as ben:
        written = await anna.post("/api/notes", json={"title": "<b>Milk</b>", "body": "two pints"})
        assert written.status_code == 201
        note = written.json()
        path = f"/api/notes/{note['id']}"
        assert note["author_id"] == (await anna.get("/auth/session")).json()["user"]["id"]
        for _ in range(4):  # whichever process is asked
            assert (await anna.get("/api/notes")).json() == [note] == [(await anna.get(path)).json()]
            assert (await ben.get("/api/notes")).json() == []
        for method in ("GET", "DELETE"):
            hidden, unknown = await ben.request(method, path), await ben.request(method, "/api/notes/00")
            assert (hidden.status_code, hidden.text) == (404, unknown.text)
        for body in ({"title": "x", "author_id": "someone"}, {"title": ""}, ["title"], 1):
            assert (await anna.post("/api/notes", json=body)).status_code == 422

        token = anna.headers.pop("x-csrf-token")
        for method, where in (("POST", "/api/notes"), ("DELETE", "/api/notes"), ("DELETE", path)):
            refused = await anna.request(method, where, json={"title": "x"} if method == "POST" else None)
            assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")
        assert (await anna.get("/api/notes")).json() == [note]
        anna.headers["x-csrf-token"] = token

        page = await anna.get("/notes")
        assert "&lt;b&gt;Milk" in page.text
        (nonce,) = re.findall(r"script-src 'nonce-([\w-]+)'", page.headers["content-security-policy"])
        assert re.findall(r"<script([^>]*)>", page.text) == [f' nonce="{nonce}"']
        assert "anna@example.com" in (await anna.get("/")).text

        assert (await anna.delete(path)).status_code == 204
        assert (await anna.get(path)).status_code == 404
        await anna.post("/api/notes", json={"title": "Bread"})
        assert (await anna.delete("/api/notes")).json() == {"deleted": 1}
        assert (await anna.post("/auth/logout")).status_code == 204
        for _ in range(4):
            assert (await anna.get("/api/notes")).json()["code"] == "not_authenticated"
