"""ostiary inside a plain Starlette application: decorators, middleware, mounts, WebSockets, public paths, headers."""

from functools import partial
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from ostiary.integrations import fastapi
from ostiary.integrations.starlette import (
    Guarded,
    Ostiary,
    SecurityHeaders,
    csrf_token,
    current_principal,
    current_profile,
    current_session,
    current_standing,
    current_user,
    optional_user,
    rate_limit,
    requires,
    requires_fresh,
    requires_role,
    signed_in,
)
from ostiary.kernel.errors import NOT_FOUND, Misuse, Refused
from ostiary.testing import Kit
from ostiary.testing.kit import PASSWORD

RAN: list[str] = []


async def ran(request: Request) -> Response:
    """Records that it was reached, and says what it was sent."""
    RAN.append(request.url.path)
    return PlainTextResponse(await request.body())


@signed_in()
async def me(request: Request) -> Response:
    """Everything that is known about who asks."""
    standing = await current_standing(request)
    return JSONResponse({
        "email": (await current_user(request)).email, "amr": (await current_principal(request)).amr,
        "session": (await current_session(request)).id, "name": (await current_profile(request)).name,
        "csrf": await csrf_token(request), "may": standing.check("notes:read"),
    })  # fmt: skip


async def maybe(request: Request) -> Response:
    """A page for everybody."""
    user = await optional_user(request)
    return PlainTextResponse(user.email if user and user.email else "nobody")


@requires_fresh(15)
@rate_limit("2/h")
def sync(request: Request) -> Response:
    """Runs in a thread."""
    return PlainTextResponse("sync")


class Vault(HTTPEndpoint):
    """Guarded method by method."""

    async def get(self, request: Request) -> Response:
        """For everybody."""
        return PlainTextResponse("closed")

    @requires_role("editor")
    async def post(self, request: Request) -> Response:
        """For some."""
        return PlainTextResponse("open")


@requires("notes:read")
class Whole(HTTPEndpoint):
    """Guarded as a whole."""

    async def get(self, request: Request) -> Response:
        """For those who may."""
        return PlainTextResponse("whole")


class Feed(WebSocketEndpoint):
    """A WebSocket of the host's."""

    async def on_connect(self, websocket: WebSocket) -> None:
        """Say hello."""
        await websocket.accept()
        await websocket.send_text((await current_user(websocket)).email or "")
        await websocket.close()


async def add(number: int, request: Request) -> Response:
    """Becomes an endpoint with `partial`."""
    return PlainTextResponse(str(number))


def app_of(kit: Kit) -> Starlette:
    """A host with guards at every height."""
    inside = [Route("/", ran), Route("/health", ran), Route("/form", ran, methods=["POST"]), Route("/x", ran)]
    guarded = [Middleware(Guarded, public=["/health"])]
    app = Starlette(
        routes=[
            Route("/me", me), Route("/maybe", maybe, methods=["GET", "POST"]), Route("/sync", sync),
            Route("/vault", Vault), Route("/whole", Whole), Route("/partial", requires("notes:read")(partial(add, 7))),
            WebSocketRoute("/feed", signed_in()(Feed)), Mount("/in", routes=inside, middleware=guarded),
            Mount("/asgi", signed_in()(PlainTextResponse("asgi"))),
        ]
    )  # fmt: skip
    Ostiary(kit.engine).install(app)
    return app


def client_of(kit: Kit, app: ASGIApp, **given: Any) -> httpx2.AsyncClient:
    """A client of a host."""
    transport = httpx2.ASGITransport(app, client=("192.0.2.10", 40_000))
    return httpx2.AsyncClient(transport=transport, base_url=kit.base_url, **given)


async def signed(kit: Kit, app: ASGIApp) -> tuple[httpx2.AsyncClient, str]:
    """Anna's client with her CSRF header, and her id."""
    await kit.signed_up("anna@example.com", name="Anna")
    client = client_of(kit, app)
    told = await client.post("/auth/login", json={"identifier": "anna@example.com", "password": PASSWORD})
    client.headers["x-csrf-token"] = client.cookies["__Host-ostiary-csrf"]
    return client, told.json()["user"]["id"]


async def handshake(app: ASGIApp, path: str, *headers: tuple[bytes, bytes]) -> list[Any]:
    """What a WebSocket's handshake is answered with."""
    incoming: list[Any] = [{"type": "websocket.connect"}]
    sent: list[Any] = []

    async def receive() -> Any:
        return incoming.pop(0) if incoming else {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": list(headers),
        "root_path": "", "client": ("192.0.2.10", 1), "scheme": "wss", "subprotocols": [], "asgi": {"version": "3.0"},
        "server": ("auth.example.test", 443), "extensions": {"websocket.http.response": {}},
    }  # fmt: skip
    await app(scope, receive, send)
    return sent


async def test_every_kind_of_endpoint_takes_a_guard(kit: Kit) -> None:
    """Functions, `def` functions, methods, classes, partials, ASGI apps and WebSockets are refused and let through."""
    app = app_of(kit)
    async with client_of(kit, app) as nobody:
        for path in ("/me", "/sync", "/whole", "/partial", "/asgi/", "/in/x"):
            answer = await nobody.get(path)
            assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated"), path
            assert answer.headers["www-authenticate"].startswith("Bearer")
        assert [(await nobody.get(path)).text for path in ("/vault", "/maybe")] == ["closed", "nobody"]
        assert (await nobody.post("/vault")).status_code == 401
    anna, _ = await signed(kit, app)
    told = (await anna.get("/me")).json()
    assert told["email"] == "anna@example.com"
    assert (told["amr"], told["name"], told["may"]) == (["pwd"], "Anna", False)
    assert told["csrf"] == anna.headers["x-csrf-token"]
    assert [(await anna.get("/sync")).status_code for _ in range(3)] == [200, 200, 429]
    for path in ("/whole", "/partial"):
        refused = await anna.get(path)
        assert (refused.status_code, refused.json()["permission"]) == (403, "notes:read")
    assert (await anna.post("/vault")).json()["roles"] == ["editor"]
    assert (await anna.get("/asgi/")).text == "asgi"
    token = anna.headers.pop("x-csrf-token")
    assert (await anna.post("/maybe")).json()["code"] == "csrf_failed", (
        "an optional guard owes the check, too"
    )
    assert (await anna.post("/maybe", headers={"x-csrf-token": token})).text == "anna@example.com"
    cookie = "; ".join(f"{name}={value}" for name, value in anna.cookies.items()).encode()
    own = (b"origin", kit.base_url.encode())
    assert [m.get("text") for m in await handshake(app, "/feed", (b"cookie", cookie), own)][
        1
    ] == "anna@example.com"
    assert (await handshake(app, "/feed"))[0]["status"] == 401
    assert (await handshake(app, "/feed", (b"cookie", cookie), (b"origin", b"https://evil.example")))[0][
        "status"
    ] == 403
    await anna.aclose()


async def test_a_guarded_mount_keeps_its_public_paths_and_its_bodies(kit: Kit) -> None:
    """Inside a guarded mount only the rule's path is open, in no other spelling; forms reach the app whole."""
    app = app_of(kit)
    RAN.clear()
    async with client_of(kit, app) as nobody:
        assert (await nobody.get("/in/health")).status_code == 200
        for path in (
            "/in/",
            "/in/x",
            "/in//health",
            "/in/health2",
            "/in/%2e/health",
            "/in/health/../x",
            "/in/x%2fhealth",
            "/in/health/..;/x",
        ):
            assert (await nobody.get(path)).status_code == 401, path
    assert RAN == ["/in/health"]
    anna, _ = await signed(kit, app)
    token = anna.headers.pop("x-csrf-token")
    assert (await anna.post("/in/form", data={"words": "hi"})).json()["code"] == "csrf_failed"
    sent = await anna.post("/in/form", data={"words": "hi", "csrf_token": token})
    assert sent.text == f"words=hi&csrf_token={token}"
    long = {"words": "x" * 70_000, "csrf_token": token}
    upload = {"file": ("notes.txt", b"some notes")}
    sent = await anna.post("/in/form", data={"csrf_token": token}, files=upload)
    assert b"some notes" in sent.content
    reached = len(RAN)
    for kind in ("multipart/form-data; boundary=x", "multipart/form-data"):
        broken = await anna.post("/in/form", content=b"--x\r\nnothing of it", headers={"content-type": kind})
        assert (broken.status_code, broken.json()["code"]) == (403, "csrf_failed"), kind
    assert len(RAN) == reached
    assert (await anna.post("/in/form", data=long)).status_code == 403, "too long to look for the token"
    assert len((await anna.post("/in/form", data=long, headers={"x-csrf-token": token})).content) > 70_000
    await anna.aclose()


async def test_a_whole_application_behind_one_guard(kit: Kit) -> None:
    """Around FastAPI, too: ostiary's own pages stay open, `/` opens only itself, WebSockets are judged."""
    app = FastAPI()
    app.add_middleware(Guarded, fastapi.requires("notes:read"), public=["/", "/docs"])
    auth = fastapi.Ostiary(kit.engine)
    auth.install(app)

    @app.get("/")
    @app.get("/notes")
    async def anything() -> str:
        return "here"

    @app.websocket("/live")
    async def live(socket: WebSocket) -> None:
        await socket.accept()

    async with client_of(kit, app) as nobody:
        assert [(await nobody.get(path)).status_code for path in ("/", "/docs", "/login", "/auth/session")] == [
            200, 200, 200, 401
        ]  # fmt: skip
        for path in ("/notes", "/nothing", "/docs2", "//", "//docs", "/openapi.json"):
            assert (await nobody.get("https://auth.example.test" + path)).status_code == 401, path
        assert (await nobody.options("/notes")).status_code == 401
    assert (await handshake(app, "/live"))[0]["status"] == 401
    anna, anna_id = await signed(kit, app)
    assert (await anna.get("/notes")).json()["permission"] == "notes:read"
    assert await auth.grant_role(anna_id, "superadmin", by="test")
    assert (await anna.get("/notes")).json() == "here"
    assert (await anna.get("/nothing")).status_code == 404
    await anna.aclose()


async def test_a_method_that_is_overridden_inside_is_judged_as_what_it_became(kit: Kit) -> None:
    """A host that makes a POST of a GET inside of a guard gets no unsafe call without its CSRF proof."""

    def overriding(app: ASGIApp) -> ASGIApp:
        async def changed(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "method": "POST"} if scope["query_string"] else scope, receive, send)

        return changed

    deeds: list[str] = []

    @requires("notes:read")
    async def deed(request: Request) -> Response:
        deeds.append(request.method)
        return PlainTextResponse("done")

    app = Starlette(
        routes=[Route("/deed", deed, methods=["GET", "POST"])],
        middleware=[Middleware(Guarded, requires("notes:read")), Middleware(overriding)],
    )
    auth = Ostiary(kit.engine)
    auth.install(app)
    anna, anna_id = await signed(kit, app)
    await auth.grant_role(anna_id, "superadmin", by="test")
    token = {"x-csrf-token": anna.headers.pop("x-csrf-token")}
    assert (await anna.get("/deed")).text == "done"
    assert (await anna.get("/deed?method=POST")).json()["code"] == "csrf_failed"
    assert (await anna.get("/deed?method=POST", headers=token)).text == "done"
    assert deeds == ["GET", "POST"]
    await anna.aclose()


async def test_caches_are_told_what_depends_on_who_asks(kit: Kit) -> None:
    """Asked by a guard or by the route itself, also of nobody; what the host says of caches stays, and what asks
    nobody says nothing."""

    async def own(request: Request) -> Response:
        await optional_user(request)
        return PlainTextResponse("own", headers={"cache-control": "no-cache", "vary": "Accept, COOKIE"})

    app = app_of(kit)
    app.routes.extend([Route("/own", own), Route("/open", ran), Route("/counted", rate_limit("9/m")(ran))])
    anna, _ = await signed(kit, app)
    async with client_of(kit, app) as nobody:
        for answer in (await anna.get("/me"), await anna.get("/maybe"), await nobody.get("/maybe")):
            assert answer.headers["vary"] == "Cookie, Authorization, X-API-Key"
            assert answer.headers["cache-control"] == "private"
        kept = (await anna.get("/own")).headers
        assert kept.get_list("vary") == ["Accept, COOKIE", "Authorization, X-API-Key"]
        assert kept.get_list("cache-control") == ["no-cache"]
        for path in ("/open", "/counted"):
            assert {"vary", "cache-control"}.isdisjoint((await anna.get(path)).headers), path
        assert (await nobody.get("/me")).headers.get_list("cache-control") == ["no-store"]
    await anna.aclose()


async def test_mistakes_are_told(kit: Kit) -> None:
    """A guard outside of ostiary, an endpoint without a request, something that is no guard."""
    app = Starlette(routes=[Route("/", ran)])
    Ostiary(kit.engine).install(app)
    app.add_middleware(Guarded)
    with pytest.raises(Misuse, match="outermost"):
        await client_of(kit, app).get("/")
    with pytest.raises(Misuse, match="takes the request"):
        await signed_in()(partial(add, 7))(1)  # type: ignore[arg-type]
    with pytest.raises(Misuse, match="takes guards"):
        Guarded(app, "notes:read")  # type: ignore[arg-type]
    for empty in (requires, requires_role):
        with pytest.raises(Misuse, match="name one"):
            empty()


async def test_a_refusal_passes_the_hosts_own_middleware(kit: Kit) -> None:
    """CORS and security headers of the host are on a guard's answer; what no guard refused stays the host's own."""

    @signed_in()
    async def mine(request: Request) -> Response:
        return PlainTextResponse("mine")

    async def raises(request: Request) -> Response:
        raise Refused(NOT_FOUND, "the host's own")

    inner = Starlette(routes=[Route("/mine", mine)])
    app = Starlette(
        routes=[
            Route("/mine", mine), Route("/raises", raises), WebSocketRoute("/feed", signed_in()(Feed)),
            Mount("/in", inner),
        ],
        middleware=[Middleware(CORSMiddleware, allow_origins=["https://front.example"]), Middleware(SecurityHeaders)],
    )  # fmt: skip
    Ostiary(kit.engine).install(app)
    async with client_of(kit, app) as nobody:
        answer = await nobody.get("/mine", headers={"origin": "https://front.example"})
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
        assert answer.headers["access-control-allow-origin"] == "https://front.example"
        assert answer.headers["x-frame-options"] == "DENY"
        mounted = await nobody.get("/in/mine")
        assert (mounted.status_code, mounted.json()["code"]) == (401, "not_authenticated")
        with pytest.raises(Refused):
            await nobody.get("/raises")
    assert [m.get("status") for m in await handshake(app, "/feed")] == [401, None]

    own = Starlette(
        routes=[Route("/mine", mine)],
        exception_handlers={Refused: lambda _r, _e: PlainTextResponse("own", 418)},
    )
    Ostiary(kit.engine).install(own)
    async with client_of(kit, own) as nobody:
        assert (await nobody.get("/mine")).status_code == 418


async def test_security_headers_add_and_never_weaken(kit: Kit) -> None:
    """What a response lacks is added; what the host or ostiary has set stays as it is; each value can be chosen."""

    async def own(request: Request) -> Response:
        strict = {"content-security-policy": "default-src 'none'", "x-frame-options": "SAMEORIGIN"}
        return PlainTextResponse(
            request.state.csp_nonce, headers=strict if "own" in request.url.path else None
        )

    def host(**given: Any) -> Starlette:
        app = Starlette(routes=[Route("/own", own), Route("/plain", own)])
        app.add_middleware(SecurityHeaders, **given)
        Ostiary(kit.engine).install(app)
        return app

    chosen = {"Referrer-Policy": "same-origin", "cross-origin-opener-policy": None}
    async with client_of(kit, host(csp="script-src 'nonce-{nonce}'", headers=chosen)) as client:
        plain, again, strict = [await client.get(path) for path in ("/plain", "/plain", "/own")]
        assert plain.headers["content-security-policy"] == f"script-src 'nonce-{plain.text}'"
        assert len({plain.text, again.text, strict.text}) == 3
        assert plain.headers["x-content-type-options"] == "nosniff"
        assert plain.headers["strict-transport-security"] == "max-age=31536000"
        assert plain.headers["referrer-policy"] == "same-origin"
        assert "cross-origin-opener-policy" not in plain.headers
        assert strict.headers.get_list("content-security-policy") == ["default-src 'none'"]
        assert strict.headers.get_list("x-frame-options") == ["SAMEORIGIN"]
        login = await client.get("/login")
        assert len(login.headers.get_list("content-security-policy")) == 1
        assert login.headers["referrer-policy"] == "no-referrer"
        refused = await client.get("/nothing")
        assert refused.headers["x-frame-options"] == "DENY"
    with pytest.raises(Misuse, match="is no header"):
        SecurityHeaders(app_of(kit), headers={"x-test": "a\r\nset-cookie: b"})
