"""The notes example over real HTTP: whose notes are whose, what is refused, and what its pages hold."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from tests.examples.notes import answers, launch_notes, serving_notes, signed_in
from tests.support.server import Server


@pytest.fixture(scope="module")
async def server(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """One example for all tests here."""
    async with serving_notes(tmp_path_factory.mktemp("notes")) as running:
        yield running


def queries(server: Server) -> int:
    """How many statements the application has sent to its own database."""
    return server.said.count("query: ")


async def test_notes_are_written_read_and_deleted_by_their_author(server: Server) -> None:
    """A note is listed and read by its author alone; for others it does not exist, and deleting it fails likewise."""
    async with signed_in(server, "anna@example.com") as anna, signed_in(server, "ben@example.com") as ben:
        written = await anna.post("/api/notes", json={"title": "Milk", "body": "two pints"})
        assert written.status_code == 201
        note = written.json()
        path = f"/api/notes/{note['id']}"
        assert (await anna.get("/api/notes")).json() == [note] == [(await anna.get(path)).json()]
        who = (await anna.get("/auth/session")).json()["user"]["id"]
        assert note["author_id"] == who

        assert (await ben.get("/api/notes")).json() == []
        unknown = await ben.get("/api/notes/00")
        for method in ("GET", "DELETE"):
            hidden = await ben.request(method, path)
            assert (hidden.status_code, hidden.json()) == (404, unknown.json())
        assert (await anna.get(path)).status_code == 200

        assert (await anna.delete(path)).status_code == 204
        assert (await anna.get(path)).status_code == 404


async def test_nobody_is_refused_before_anything_is_loaded(server: Server) -> None:
    """Anonymous calls are 401 and not one statement reaches the application's database; a signed-in call is counted."""
    before = queries(server)
    async with server.client() as nobody:
        for method, path in (
            ("GET", "/api/notes"), ("POST", "/api/notes"), ("DELETE", "/api/notes"),
            ("GET", "/api/notes/00"), ("DELETE", "/api/notes/00"),
        ):  # fmt: skip
            refused = await nobody.request(method, path, json={"title": "x"} if method == "POST" else None)
            assert (refused.status_code, refused.json()["code"]) == (401, "not_authenticated")
            assert "www-authenticate" in refused.headers
    assert queries(server) == before
    async with signed_in(server, "carla@example.com") as carla:
        assert (await carla.get("/api/notes")).status_code == 200
    assert queries(server) > before


async def test_a_cookie_without_proof_changes_nothing(server: Server) -> None:
    """Without the CSRF token a cookie writes and deletes nothing, and again nothing is loaded."""
    async with signed_in(server, "dora@example.com") as dora:
        note = (await dora.post("/api/notes", json={"title": "Stay"})).json()
        token = dora.headers.pop("x-csrf-token")
        before = queries(server)
        for method, path in (
            ("POST", "/api/notes"), ("DELETE", "/api/notes"), ("DELETE", f"/api/notes/{note['id']}"),
        ):  # fmt: skip
            refused = await dora.request(method, path, json={"title": "x"} if method == "POST" else None)
            assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")
        assert queries(server) == before
        assert (await dora.get("/api/notes")).json() == [note]
        everything = await dora.delete("/api/notes", headers={"x-csrf-token": token})
        assert everything.json() == {"deleted": 1}


async def test_the_author_is_nobodys_to_choose(server: Server) -> None:
    """A body that names an author is refused, and so is a note without a title."""
    async with signed_in(server, "emil@example.com") as emil:
        for body in ({"title": "x", "author_id": "someone"}, {"title": ""}):
            assert (await emil.post("/api/notes", json=body)).status_code == 422
        assert (await emil.get("/api/notes")).json() == []


async def test_pages_escape_and_lead_to_signing_in(server: Server) -> None:
    """The page of notes asks to sign in and come back; markup stays text under a policy with a fresh nonce."""
    async with server.client() as nobody:
        assert (await nobody.get("/notes")).status_code == 401, "a program is told so"
        away = await nobody.get("/notes", headers={"accept": "text/html"})
        assert away.headers["x-frame-options"] == "DENY"
        assert (away.status_code, away.headers["location"]) == (303, "/login?next=/notes")
        assert (await nobody.get(away.headers["location"])).status_code == 200
        assert 'href="/signup?next=/notes"' in (await nobody.get("/")).text
    async with signed_in(server, "fred@example.com") as fred:
        await fred.post("/api/notes", json={"title": "<script>alert(1)</script>", "body": "<b>bold</b>"})
        first, second = [await fred.get("/notes") for _ in range(2)]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in first.text
    assert "&lt;b&gt;bold" in first.text
    nonces = []
    for answer in (first, second):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        (nonce,) = re.findall(r"script-src 'nonce-([\w-]+)'", policy)
        assert re.findall(r"<script([^>]*)>", answer.text) == [f' nonce="{nonce}"']
        nonces.append(nonce)
    assert nonces[0] != nonces[1]


async def test_two_processes_serve_one_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two processes that start together on an empty folder agree: a session and a note of one are the other's, too."""
    folder = tmp_path_factory.mktemp("shared")
    servers = [launch_notes(folder, name) for name in ("one", "two")]
    try:
        for server in servers:
            await answers(server)
        one, two = servers
        async with signed_in(one, "gina@example.com", two) as here, two.client() as there:
            there.cookies.update(dict(here.cookies))
            there.headers["x-csrf-token"] = here.headers["x-csrf-token"]
            assert (await here.post("/api/notes", json={"title": "from one"})).status_code == 201
            assert (await there.post("/api/notes", json={"title": "from two"})).status_code == 201
            both = [[note["title"] for note in (await c.get("/api/notes")).json()] for c in (here, there)]
            assert both == [["from two", "from one"]] * 2
            assert (await there.post("/auth/logout")).status_code == 204
            assert (await here.get("/api/notes")).json()["code"] == "session_ended"
    finally:
        for server in servers:
            if server.process.poll() is None:
                server.process.kill()
            await server.ended()


async def test_it_ends_in_order(tmp_path_factory: pytest.TempPathFactory) -> None:
    """SIGTERM ends it in order, with nothing to complain about (its warnings are errors)."""
    async with serving_notes(tmp_path_factory.mktemp("ending")) as server:
        await asyncio.wait_for(server.stop(), 30)
        assert "Application shutdown complete" in server.said
        assert "Traceback" not in server.said
