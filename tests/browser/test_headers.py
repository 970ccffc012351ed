"""The headers of every route (E4), read off the running server."""

import re

import pytest

from ostiary.engine.engine import Engine
from ostiary.engine.features import RIBS
from ostiary.engine.settings import load
from ostiary.http.table import Declared
from ostiary.kernel.world import World
from ostiary.server import health, home
from ostiary.testing.kit import PASSWORD
from tests.browser.person import account
from tests.support.server import Server

FIXED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-xss-protection": "0",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
# What everyone may keep for a while: it changes rarely, is the same for all, and is asked for often.
KEPT = {"/oauth2/jwks": "public, max-age=300"}
CLOSED = {"default-src": "'none'", "base-uri": "'none'", "frame-ancestors": "'none'"}


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Declared, ...]:
    """Every method and path of the server that `ostiary serve --dev` runs, as the assembled app lists them."""
    world, folder = World(), tmp_path_factory.mktemp("routes")
    given = {"dev": True, "data": folder, "base_url": "http://127.0.0.1:8000"}
    return Engine(load(RIBS, world, given), RIBS, world, routes=(*health.ROUTES, *home.ROUTES)).app.declared


@pytest.mark.parametrize("is_signed_in", [False, True], ids=["stranger", "signed in"])
async def test_every_route_has_them(site: Server, declared: tuple[Declared, ...], is_signed_in: bool) -> None:
    """Whatever the method and the answer: the fixed headers, a closed policy; only files and keys may be kept."""
    email = f"headers-{is_signed_in}@example.com"
    await account(site, email)
    assert len(declared) > 40
    async with site.client() as client:
        wrong: list[object] = []
        for line in declared:
            if is_signed_in and "ostiary" not in client.cookies:
                credentials = {"identifier": email, "password": PASSWORD}
                (await client.post("/auth/login", json=credentials)).raise_for_status()
                client.headers["x-csrf-token"] = client.cookies["ostiary-csrf"]
            path = re.sub(r"{[^}]*}", "ostiary.css" if line.path.startswith("/assets/") else "x", line.path)
            for method in (line.method, "HEAD", "OPTIONS", "TRACE"):
                answer = await client.request(method, path)
                assert answer.status_code < 500, (method, path)
                kept = {name: answer.headers.get(name) for name in FIXED}
                policy = dict(
                    one.strip().split(" ", 1) for one in answer.headers["content-security-policy"].split(";")
                )
                is_closed = CLOSED.items() <= policy.items() and "unsafe" not in str(policy)
                may_be_kept = KEPT.get(path, "no-store") if method in ("GET", "HEAD") else "no-store"
                is_kept_back = may_be_kept in answer.headers["cache-control"]
                is_bare = not {"server", "x-powered-by"} & set(answer.headers)
                if kept != FIXED or not is_closed or not is_kept_back or not is_bare:
                    wrong.append((method, path, dict(answer.headers)))
        assert wrong == []


@pytest.mark.parametrize(
    "path", ["/nothing/here", "/auth/nothing", "/favicon.ico", "/account/", "//", "/assets/x"]
)
async def test_what_does_not_exist_has_them(site: Server, path: str) -> None:
    """A path that nobody declared answers with the same headers."""
    async with site.client() as client:
        answer = await client.get(path)
        assert {name: answer.headers.get(name) for name in FIXED} == FIXED
        assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_files_alone_are_kept(site: Server) -> None:
    """The style sheet under its hashed name is kept for a year; nothing else that a page loads."""
    async with site.client() as client:
        page = await client.get("/login")
        paths = set(re.findall(r'"(/assets/[^"]+)"', page.text))
        assert len(paths) == 3
        for path in paths:
            assert "immutable" in (await client.get(path)).headers["cache-control"]
        assert page.headers["cache-control"] == "no-store"
