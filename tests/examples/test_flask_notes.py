"""The notes example in Flask, under gunicorn with two workers: its API, its forms, and who keeps everybody's notes."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.examples.notes import serving_notes, signed_in
from tests.support.gunicorn import gunicorn
from tests.support.server import Server
from tests.support.tree import ROOT

APP = "examples.flask_notes.app"


@pytest.fixture(scope="module")
async def server(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """One example for all tests here; its data is in `data` beside the log."""
    program = gunicorn(f"{APP}:app", "--workers", "2", "--threads", "4")
    async with serving_notes(tmp_path_factory.mktemp("flask"), program=program) as running:
        yield running


def field(page: httpx2.Response) -> dict[str, str]:
    """The CSRF token of a page's forms; they all have the same."""
    (token,) = set(re.findall(r'name="csrf_token" value="([^"]+)"', page.text))
    return {"csrf_token": token}


async def test_the_api_knows_authors_and_proof(server: Server) -> None:
    """Nobody gets in; authors write, read and delete their own; to others a note does not exist; a cookie alone changes
    nothing; nobody chooses an author."""
    async with (
        server.client() as nobody,
        signed_in(server, "anna@example.com") as anna,
        signed_in(server, "ben@example.com") as ben,
    ):
        for method, path in (("GET", "/api/notes"), ("POST", "/api/notes"), ("DELETE", "/api/notes/00")):
            refused = await nobody.request(method, path)
            assert (refused.status_code, refused.json()["code"]) == (401, "not_authenticated")
        written = await anna.post("/api/notes", json={"title": "Milk", "body": "two pints"})
        assert written.status_code == 201
        note = written.json()
        assert note["author_id"] == (await anna.get("/auth/session")).json()["user"]["id"]
        path = f"/api/notes/{note['id']}"
        assert (await anna.get("/api/notes")).json() == [note] == [(await anna.get(path)).json()]
        assert (await ben.get("/api/notes")).json() == []
        unknown = (await ben.get("/api/notes/00")).text
        for method in ("GET", "DELETE"):
            hidden = await ben.request(method, path)
            assert (hidden.status_code, hidden.text) == (404, unknown)
        for wrong in ({"title": "x", "author_id": "ben"}, {"title": ""}, {"title": 1}, ["x"]):
            assert (await anna.post("/api/notes", json=wrong)).status_code == 422
        token = anna.headers.pop("x-csrf-token")
        for method, where in (("POST", "/api/notes"), ("DELETE", path), ("DELETE", "/api/notes")):
            refused = await anna.request(method, where, json={"title": "x"} if method == "POST" else None)
            assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")
        assert (await anna.get("/api/notes")).json() == [note]
        anna.headers["x-csrf-token"] = token
        assert (await anna.delete(path)).status_code == 204
        assert (await anna.delete("/api/notes")).json() == {"deleted": 0}


async def test_forms_work_without_a_script(server: Server) -> None:
    """From the sign-in page and back, a note is written, shown as text under a strict policy, and deleted, each with
    the form's token; whoever has become a keeper by `flask ostiary` sees and deletes everybody's."""
    async with server.client(headers={"accept": "text/html"}) as nobody:
        away = await nobody.get("/notes")
        assert (away.status_code, away.headers["location"]) == (303, "/login?next=/notes")
        assert 'href="/signup?next=/notes"' in (await nobody.get("/")).text
    async with signed_in(server, "carla@example.com") as carla, signed_in(server, "dora@example.com") as dora:
        for person in (carla, dora):
            del person.headers["x-csrf-token"]
            person.headers["accept"] = "text/html"
        given = field(await carla.get("/notes"))
        markup = {"title": "<script>alert(1)</script>", "body": "<b>bold</b>"}
        assert (await carla.post("/notes", data=markup)).status_code == 403
        assert (await carla.post("/notes", data=markup | field(await dora.get("/notes")))).status_code == 403
        assert (await carla.post("/notes", data=markup | given)).status_code == 303
        page = await carla.get("/notes")
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "script-src" not in policy
        assert re.findall(r"style-src 'nonce-([\w-]+)'", policy) == re.findall(
            r'<style nonce="([\w-]+)"', page.text
        )
        (delete,) = re.findall(r'action="(/notes/\w+/delete)"', page.text)

        theirs = field(await dora.get("/notes"))
        assert (await dora.post(delete, data=theirs)).status_code == 404
        assert (await dora.get("/notes/all")).json()["code"] == "permission_denied"
        await asyncio.to_thread(_typed, server, "roles", "grant", "dora@example.com", "keeper")
        everything = await dora.get("/notes/all")
        assert delete in everything.text
        gone = await dora.post(delete, data=theirs | {"back": "all"})
        assert (gone.status_code, gone.headers["location"]) == (303, "/notes/all")

        await carla.post("/notes", data={"title": "Last"} | given)
        asked = await carla.get("/notes/clear")
        assert (await carla.post("/notes/clear", data=field(asked))).status_code == 303
        assert "No notes yet." in (await carla.get("/notes")).text
        assert (await carla.post("/logout", data=given)).status_code == 303
        assert (await carla.get("/notes")).headers["location"] == "/login?next=/notes"


def _typed(server: Server, *arguments: str) -> None:
    """A command of the application, typed beside its running workers."""
    folder: Path = server.log.parent / "data"
    command = [sys.executable, "-m", "flask", "--app", APP, "ostiary", *arguments]
    surroundings = os.environ | {"NOTES_DATA": str(folder), "NOTES_URL": server.url}
    subprocess.run(command, cwd=ROOT, env=surroundings, check=True, capture_output=True, timeout=60)
