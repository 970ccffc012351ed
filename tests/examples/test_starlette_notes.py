"""The notes example in Starlette over real HTTP: everything but the first page is behind one guard."""

import re
import sys

import pytest

from tests.examples.notes import serving_notes, signed_in
from tests.support.tree import ROOT

PROGRAM = (
    sys.executable, "-W", "error", "-m", "uvicorn", "examples.starlette_notes.app:app", "--app-dir", str(ROOT),
    "--log-level", "debug",
)  # fmt: skip


async def test_the_example_in_starlette(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Strangers see the first page and load nothing; authors write, read and delete their own notes and nobody else's;
    pages escape under a policy with a fresh nonce; it ends in order."""
    async with serving_notes(tmp_path_factory.mktemp("starlette"), program=PROGRAM) as server:
        async with server.client() as nobody:
            assert 'href="/signup?next=/notes"' in (await nobody.get("/")).text
            before = server.said.count("query: ")
            for method, path in (("GET", "/api/notes"), ("POST", "/api/notes"), ("DELETE", "/api/notes/00")):
                refused = await nobody.request(method, path)
                assert (refused.status_code, refused.json()["code"]) == (401, "not_authenticated")
                assert refused.headers["x-frame-options"] == "DENY"
            away = await nobody.get("/notes", headers={"accept": "text/html"})
            assert (away.status_code, away.headers["location"]) == (303, "/login?next=/notes")
            assert (await nobody.get("/nothing")).status_code == 401
            assert server.said.count("query: ") == before
        async with signed_in(server, "anna@example.com") as anna, signed_in(server, "ben@example.com") as ben:
            written = await anna.post(
                "/api/notes", json={"title": "<script>alert(1)</script>", "body": "two"}
            )
            assert written.status_code == 201
            assert '"60/1m";r=59' in written.headers["ratelimit"]
            note, path = written.json(), f"/api/notes/{written.json()['id']}"
            assert (await anna.get("/api/notes")).json() == [note] == [(await anna.get(path)).json()]
            assert note["author_id"] == (await anna.get("/auth/session")).json()["user"]["id"]
            unknown = (await ben.get("/api/notes/00")).json()
            for method in ("GET", "DELETE"):
                hidden = await ben.request(method, path)
                assert (hidden.status_code, hidden.json()) == (404, unknown)
            for wrong in ({"title": "x", "author_id": "ben"}, {"title": ""}, {"title": 1}, ["x"]):
                assert (await anna.post("/api/notes", json=wrong)).status_code == 422
            first, second = [await anna.get("/notes") for _ in range(2)]
            assert "&lt;script&gt;alert(1)&lt;/script&gt;" in first.text
            nonces = []
            for answer in (first, second):
                (nonce,) = re.findall(
                    r"script-src 'nonce-([\w-]+)'", answer.headers["content-security-policy"]
                )
                assert re.findall(r"<script([^>]*)>", answer.text) == [f' nonce="{nonce}"']
                nonces.append(nonce)
            assert nonces[0] != nonces[1]
            token = anna.headers.pop("x-csrf-token")
            for method, target in (("POST", "/api/notes"), ("DELETE", path), ("DELETE", "/api/notes")):
                refused = await anna.request(
                    method, target, json={"title": "x"} if method == "POST" else None
                )
                assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")
            assert (await anna.get("/api/notes")).json() == [note]
            anna.headers["x-csrf-token"] = token
            assert (await anna.delete(path)).status_code == 204
            assert (await anna.delete("/api/notes")).json() == {"deleted": 0}
        assert await server.stop() in {0, -15}
        assert "Application shutdown complete" in server.said
