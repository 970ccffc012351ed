"""The Django example over real HTTP, under uvicorn and under gunicorn with two processes: whose notes are whose."""

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
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


def _launch(folder: Path, name: str, program: Sequence[str], **given: str) -> Server:
    port, env = free_port(), shutil.which("env")
    assert env is not None
    given |= {"NOTES_DATA": str(folder / "data"), "NOTES_URL": f"http://127.0.0.1:{port}"}
    surroundings = [f"{name}={value}" for name, value in given.items()]
    return launch((), folder / f"{name}.log", port=port, settings={}, program=[env, *surroundings, *program])


@pytest.mark.timeout(300)  # five processes load everything at once
async def test_the_notes_of_the_django_example(tmp_path: Path) -> None:
    """Both servers on one folder: notes are their author's alone, nobody and no call without proof changes any, pages
    escape, a session of one server is the other's, too; and both end in order."""
    migrate = [sys.executable, "-W", "error", "-m", "examples.django_notes.manage", "migrate", "--no-input"]
    given = environment() | {"NOTES_DATA": str(tmp_path / "data")}
    await asyncio.to_thread(subprocess.run, migrate, cwd=ROOT, env=given, check=True, capture_output=True)
    servers = [_launch(tmp_path, "uvicorn", UVICORN), _launch(tmp_path, "gunicorn", GUNICORN)]
    try:
        for server in servers:
            await answers(server)
        await _nobody(servers[0])
        await _nobody(servers[1])
        await _authors(*servers)
    finally:
        for server in servers:
            if server.process.poll() is None:
                await server.stop()
    for server in servers:
        assert "Traceback" not in server.said, server.said
        assert "Warning" not in server.said, server.said


async def _nobody(server: Server) -> None:
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


async def _authors(one: Server, other: Server) -> None:
    async with (
        signed_in(one, "anna@example.com", other) as anna,
        signed_in(other, "ben@example.com", one) as ben,
        other.client() as there,
    ):
        there.cookies.update(dict(anna.cookies))
        there.headers["x-csrf-token"] = anna.headers["x-csrf-token"]
        written = await anna.post("/api/notes", json={"title": "<b>Milk</b>", "body": "two pints"})
        assert written.status_code == 201
        note = written.json()
        path = f"/api/notes/{note['id']}"
        assert note["author_id"] == (await there.get("/auth/session")).json()["user"]["id"]
        for client in (anna, there, there, there):  # whichever process is asked
            assert (await client.get("/api/notes")).json() == [note] == [(await client.get(path)).json()]
            assert (await ben.get("/api/notes")).json() == []
        for method in ("GET", "DELETE"):
            hidden, unknown = await ben.request(method, path), await ben.request(method, "/api/notes/00")
            assert (hidden.status_code, hidden.text) == (404, unknown.text)
        for body in ({"title": "x", "author_id": "someone"}, {"title": ""}, ["title"], 1):
            assert (await anna.post("/api/notes", json=body)).status_code == 422

        for client in (anna, there):
            token = client.headers.pop("x-csrf-token")
            for method, where in (("POST", "/api/notes"), ("DELETE", "/api/notes"), ("DELETE", path)):
                refused = await client.request(
                    method, where, json={"title": "x"} if method == "POST" else None
                )
                assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")
            assert (await client.get("/api/notes")).json() == [note]
            client.headers["x-csrf-token"] = token
            page = await client.get("/notes")
            assert "&lt;b&gt;Milk" in page.text
            (nonce,) = re.findall(r"script-src 'nonce-([\w-]+)'", page.headers["content-security-policy"])
            assert re.findall(r"<script([^>]*)>", page.text) == [f' nonce="{nonce}"']
            assert "anna@example.com" in (await client.get("/")).text

        assert (await there.delete(path)).status_code == 204
        assert (await anna.get(path)).status_code == 404
        for client in (anna, there):
            await client.post("/api/notes", json={"title": "Bread"})
            assert (await client.delete("/api/notes")).json() == {"deleted": 1}
        assert (await anna.post("/auth/logout")).status_code == 204
        for _ in range(3):
            assert (await there.get("/api/notes")).json()["code"] == "session_ended"
