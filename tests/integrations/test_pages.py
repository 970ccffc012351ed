"""Pages of a host: whoever looks at one is led to sign in and back; programs and scripts get the problem document."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from ostiary.integrations.fastapi import CurrentUser, Ostiary, requires, requires_fresh
from ostiary.integrations.pages import prefers_html
from ostiary.integrations.paths import Prefixes
from ostiary.kernel.errors import Misuse
from ostiary.testing import Kit
from ostiary.testing.kit import PASSWORD

HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
BROWSER = {"accept": HTML, "sec-fetch-mode": "navigate", "sec-fetch-site": "none"}


def client_of(kit: Kit, pages: bool | Sequence[str] = True) -> httpx2.AsyncClient:
    """A client of a host with pages."""
    app, inner = FastAPI(), FastAPI()
    Ostiary(kit.engine, pages=pages).install(app)

    @app.api_route("/notes/{rest:path}", methods=["GET", "HEAD", "POST"])
    async def notes(rest: str, user: CurrentUser) -> str:
        return rest

    @app.get("/vault", dependencies=[requires_fresh(15)])
    async def vault() -> str:
        return "open"

    @app.get("/staff", dependencies=[requires("staff:read")])
    async def staff() -> None: ...

    @inner.get("/me")
    async def me(user: CurrentUser) -> None: ...

    app.mount("/inner", inner)

    @app.get("/{rest:path}")
    async def anything(user: CurrentUser) -> None: ...

    transport = httpx2.ASGITransport(app, client=("192.0.2.10", 40_000))
    return httpx2.AsyncClient(transport=transport, base_url=kit.base_url)


async def told(client: httpx2.AsyncClient, path: str, headers: dict[str, str], method: str = "GET") -> Any:
    """Where an answer leads, or its code."""
    answer = await client.request(method, path, headers=headers)
    assert answer.headers.get("cache-control") == "no-store"
    if answer.status_code == 303:
        return answer.headers["location"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers.get("www-authenticate", "Bearer").startswith("Bearer")
    return answer.status_code, answer.json()["code"] if method != "HEAD" else ""


async def test_a_page_leads_to_sign_in_and_back(kit: Kit) -> None:
    """A browser's navigation is answered with 303 and its own path as `next`; everything else with 401 in JSON."""
    async with client_of(kit) as nobody:
        assert (
            await told(nobody, "/notes/7?page=2&q=a%20b", BROWSER)
            == "/login?next=/notes/7%3Fpage%3D2%26q%3Da%2520b"
        )
        assert await told(nobody, "/inner/me", BROWSER) == "/login?next=/inner/me", "mounted: the whole path"
        assert await told(nobody, "/notes/7", BROWSER, "HEAD") == "/login?next=/notes/7"
        refused = (401, "not_authenticated")
        for other in (
            {"accept": "*/*"},
            {"accept": "application/json, text/html;q=0.9"},
            BROWSER | {"sec-fetch-mode": "cors"},
            BROWSER | {"x-requested-with": "XMLHttpRequest"},
            BROWSER | {"authorization": "Basic YTpi"},
        ):
            assert await told(nobody, "/notes/7", other) == refused, other
        assert await told(nobody, "/notes/7", BROWSER, "POST") == refused, (
            "what was sent cannot be sent again"
        )
        assert await told(nobody, "/notes/7", BROWSER | {"authorization": "Bearer x"}) == (
            401,
            "token_invalid",
        )


async def test_next_leads_to_our_own_origin_alone(kit: Kit) -> None:
    """A path that some browser may take for another site is not handed on; the sign-in page then leads home."""
    transport = client_of(kit)._transport
    assert isinstance(transport, httpx2.ASGITransport)
    sent: list[dict[str, Any]] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    for path in ("//evil.example/x", "/\\evil.example", "/%2f/evil.example", "/a/..//evil.example", "/%5cevil.example",
                 "/./evil.example", "/%252fevil.example/%2e%2e"):  # fmt: skip
        scope = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in BROWSER.items()],
            "client": ("192.0.2.10", 1), "server": ("auth.example.test", 443), "asgi": {"version": "3.0"},
            "scheme": "https", "root_path": "", "http_version": "1.1",
        }  # fmt: skip
        sent.clear()
        await transport.app(scope, receive, send)
        assert (sent[0]["status"], dict(sent[0]["headers"])[b"location"]) == (303, b"/login"), path


async def test_a_page_asks_for_a_fresh_proof_and_clears_a_dead_cookie(kit: Kit) -> None:
    """Too old a proof leads to signing in again; an ended session's cookie goes with the redirect; 403 stays one."""
    await kit.signed_up("anna@example.com")
    async with client_of(kit) as anna:
        await anna.post("/auth/login", json={"identifier": "anna@example.com", "password": PASSWORD})
        assert (await anna.get("/vault", headers=BROWSER)).json() == "open"
        assert await told(anna, "/staff", BROWSER) == (403, "permission_denied")
        kit.clock.turn(timedelta(minutes=16))
        assert await told(anna, "/vault", BROWSER) == "/login?next=/vault&again=1"
        assert await told(anna, "/vault", {}) == (401, "fresh_authentication_required")
        await anna.post("/auth/logout", headers={"x-csrf-token": anna.cookies["__Host-ostiary-csrf"]})
    async with client_of(kit) as late:
        late.cookies.set("__Host-ostiary", "a.dead-cookie")
        answer = await late.get("/notes/1", headers=BROWSER)
        assert answer.status_code == 303
        assert any(
            line.startswith("__Host-ostiary=; Max-Age=0") for line in answer.headers.get_list("set-cookie")
        )


async def test_a_host_says_where_its_pages_are(kit: Kit) -> None:
    """With `pages=[…]` only those paths lead to sign in, by whole segments; with `pages=False` none does."""
    async with client_of(kit, ["/notes"]) as nobody:
        assert await told(nobody, "/notes/7", BROWSER) == "/login?next=/notes/7"
        assert await told(nobody, "/notebook", BROWSER) == (401, "not_authenticated")
    async with client_of(kit, pages=False) as nobody:
        assert await told(nobody, "/notes/7", BROWSER) == (401, "not_authenticated")
    with pytest.raises(Misuse, match="no path for a rule"):
        Ostiary(kit.engine, pages=["notes/*"])
    with pytest.raises(Misuse, match="are a list"):
        Ostiary(kit.engine, pages="/notes")


def test_html_before_json() -> None:
    """Only a header that names HTML, and JSON not before it, wants a page."""
    for accept in (
        HTML,
        "text/html",
        "application/xhtml+xml",
        "application/json;q=0.5, text/html; q=0.6",
        "TEXT/HTML",
    ):
        assert prefers_html(accept), accept
    for accept in ("", "*/*", "text/*", "application/json", "text/html;q=0", "application/json, text/html;q=0.9",
                   "text/html-fragment", "x" * 9000):  # fmt: skip
        assert not prefers_html(accept), accept


def test_rules_match_whole_segments_and_no_other_spelling() -> None:
    """A rule holds its path and what is below it; `/` only itself; doubled, dotted and escaped forms match nothing."""
    rules = Prefixes(["/", "/docs", "/health/live/"])
    for path in ("/", "/docs", "/docs/", "/docs/a/b", "/docs/my file.png", "/docs/ü", "/health/live"):
        assert rules.hold(path, path.encode()), path
    for path in ("", "//", "/docs2", "/doc", "/Docs", "/health", "//docs", "/docs//a", "/docs/../admin", "/docs/.",
                 "/docs/..", "/./docs", "/docs\\..\\admin", "/docs/%2e%2e/admin", "/docs/\x00", "/docs/a\n", "docs",
                 "/docs/..;/admin", "/docs/.;a=1",
                 "/admin/docs", "/admin"):  # fmt: skip
        assert not rules.hold(path, None), path
    for raw in (b"/docs/%2e%2e/x", b"/docs%2fx", b"/docs/%5Cx", b"/docs/%252e"):
        assert not rules.hold("/docs/x", raw), raw
    assert rules.hold("/docs/x", b"/docs/x?next=%2f"), "some servers leave the query there"
    for mistake in ("docs", "/docs/*", "/{id}", "//docs", "/a/../b", ""):
        with pytest.raises(Misuse, match="no path for a rule"):
            Prefixes([mistake])
    assert not Prefixes([]).hold("/")
