"""Beside ostiary a host's lifespan, middleware, WebSockets, streams and mounted apps behave as they did without it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI, Request, Response, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ostiary.integrations.fastapi import CsrfToken, CurrentUser, OptionalUser, Ostiary
from ostiary.kernel.errors import Misuse
from ostiary.testing import Kit
from ostiary.testing.kit import PASSWORD

URL = "http://127.0.0.1:8000"


def client_of(app: ASGIApp, kit: Kit, **given: Any) -> httpx2.AsyncClient:
    """A client of a host around a kit's engine."""
    transport = httpx2.ASGITransport(app, client=("192.0.2.10", 40_000), raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url=kit.base_url, **given)


@asynccontextmanager
async def visiting(app: ASGIApp, kit: Kit) -> AsyncIterator[tuple[httpx2.AsyncClient, dict[str, str]]]:
    """A client that is signed in, and its CSRF header."""
    await kit.signed_up("anna@example.com")
    async with client_of(app, kit) as client:
        body = {"identifier": "anna@example.com", "password": PASSWORD}
        assert (await client.post("/auth/login", json=body)).status_code == 200
        yield client, {"x-csrf-token": client.cookies["__Host-ostiary-csrf"]}


def own(folder: Path) -> Ostiary:
    """An ostiary of its own, as a developer makes one, outside any event loop."""
    return Ostiary(database=f"sqlite:///{folder / 'ostiary.db'}", dev=True)


def host_with_a_secret(auth: Ostiary, **given: Any) -> FastAPI:
    """A host with one guarded route."""
    app = FastAPI(**given)
    auth.install(app)

    @app.get("/secret")
    async def secret(user: CurrentUser) -> str:
        return user.id

    return app


def test_an_engine_is_made_without_a_loop_and_lives_twice(tmp_path: Path) -> None:
    """A module may make it at import, and one test client after another may start and stop the same application."""
    events: list[str] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, str]]:
        events.append("up")
        yield {"kept": "state"}
        events.append("down")

    app = host_with_a_secret(own(tmp_path), lifespan=lifespan)

    @app.get("/state")
    async def state(request: Request) -> str:
        return str(request.state.kept)

    for _ in range(2):
        with TestClient(app, base_url=URL) as client:
            assert client.get("/state").json() == "state"
            assert client.get("/secret").status_code == 401
            assert client.get("/login").status_code == 200
    assert events == ["up", "down"] * 2


def test_routers_bring_their_own_lifespan(tmp_path: Path) -> None:
    """A router that is included after `install` still starts and stops, inside ostiary's life."""
    auth, seen = own(tmp_path), []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        seen.append("router up")
        yield
        seen.append("router down")

    router = APIRouter(lifespan=lifespan)
    router.add_event_handler(
        "startup", lambda: seen.append("never: a router with a lifespan ignores handlers")
    )
    plain = APIRouter()
    plain.add_event_handler("startup", lambda: seen.append("handler up"))
    app = host_with_a_secret(auth)
    app.include_router(router)
    app.include_router(plain)
    with TestClient(app, base_url=URL):
        assert "router up" in seen
        assert "handler up" in seen
    assert seen[-1] == "router down"


async def test_middleware_keeps_its_order_and_sees_our_routes(kit: Kit) -> None:
    """Middleware that is added after `install` stands outside it, as always in Starlette; earlier one stands inside."""
    order: list[str] = []

    def noting(name: str) -> Callable[[ASGIApp], ASGIApp]:
        def around(app: ASGIApp) -> ASGIApp:
            async def run(scope: Scope, receive: Receive, send: Send) -> None:
                order.append(f"{name} {scope['path']}")
                await app(scope, receive, send)

            return run

        return around

    app = FastAPI()
    app.add_middleware(noting("inside"))
    Ostiary(kit.engine).install(app)
    app.add_middleware(noting("outside"))
    async with client_of(app, kit) as client:
        await client.get("/nowhere")
        assert (await client.get("/login")).status_code == 200
    assert order == ["outside /nowhere", "inside /nowhere", "outside /login"]


async def test_sync_endpoints_background_tasks_and_streams(kit: Kit) -> None:
    """A `def` endpoint knows its user in its thread, background tasks run, and a stream arrives piece by piece."""
    app = FastAPI()
    Ostiary(kit.engine).install(app)
    done: list[str] = []
    go_on = asyncio.Event()

    @app.get("/sync")
    def sync(user: CurrentUser, tasks: BackgroundTasks) -> dict[str, Any]:
        tasks.add_task(done.append, user.id)
        return {"email": user.email, "main": threading.current_thread() is threading.main_thread()}

    @app.get("/stream")
    async def stream(user: CurrentUser) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"first"
            await go_on.wait()
            yield b"second"

        return StreamingResponse(pieces(), status_code=int(user.id != "") * 500)

    async with visiting(app, kit) as (client, _):
        assert (await client.get("/sync")).json() == {"email": "anna@example.com", "main": False}
        assert len(done) == 1
        got: list[bytes] = []

        async def send(message: Any) -> None:
            got.append(message.get("body", b""))
            if message.get("body") == b"first":
                go_on.set()  # a response that is held back would wait for ever

        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        scope = {
            "type": "http", "method": "GET", "path": "/stream", "raw_path": b"/stream", "query_string": b"",
            "headers": [(b"cookie", cookie.encode())], "scheme": "https", "root_path": "", "asgi": {"version": "3.0"},
            "http_version": "1.1", "client": ("192.0.2.10", 1), "server": ("auth.example.test", 443),
        }  # fmt: skip

        async def receive() -> Any:
            await asyncio.Event().wait()

        await asyncio.wait_for(app(scope, receive, send), 20)
        assert b"".join(got) == b"firstsecond"


async def test_websockets_of_the_host_pass_and_guards_hold_there(kit: Kit, tmp_path: Path) -> None:
    """An open WebSocket echoes; a guarded one refuses nobody, a dead cookie and a foreign origin at the handshake."""
    auth = Ostiary(kit.engine)
    app = FastAPI()
    auth.install(app)

    @app.websocket("/echo")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())

    @app.websocket("/mine")
    async def mine(socket: WebSocket, user: CurrentUser) -> None:
        await socket.accept()
        await socket.send_text(user.email or "")

    async def ask(path: str, *headers: tuple[bytes, bytes], denial: bool = True) -> list[dict[str, Any]]:
        incoming = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"}]
        sent: list[dict[str, Any]] = []

        async def receive() -> Any:
            return incoming.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "websocket", "path": path, "query_string": b"", "headers": list(headers), "root_path": "",
            "client": ("192.0.2.10", 1), "scheme": "wss", "subprotocols": [], "server": ("auth.example.test", 443),
            "extensions": {"websocket.http.response": {}} if denial else {},
        }  # fmt: skip
        await app(scope, receive, send)
        return sent

    assert (await ask("/echo"))[1]["text"] == "hello"
    assert [m.get("status") for m in await ask("/mine")] == [401, None]
    assert await ask("/mine", denial=False) == [{"type": "websocket.close", "code": 1008}]
    async with visiting(app, kit) as (client, token):
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items()).encode()
        own_origin = (b"origin", kit.base_url.encode())
        assert (await ask("/mine", (b"cookie", cookie), own_origin))[1]["text"] == "anna@example.com"
        foreign = await ask("/mine", (b"cookie", cookie), (b"origin", b"https://evil.example"))
        assert foreign[0]["status"] == 403
        await client.post("/auth/logout", headers=token)
        dead = await ask("/mine", (b"cookie", cookie), own_origin)
        assert dead[0]["status"] == 401


def test_a_real_websocket_client_meets_the_guard(tmp_path: Path) -> None:
    """Through Starlette's test client, too, a guarded WebSocket is closed to nobody, without a traceback."""
    app = FastAPI()
    own(tmp_path).install(app)

    @app.websocket("/mine")
    async def mine(socket: WebSocket, user: CurrentUser) -> None:
        await socket.accept()

    with (
        TestClient(app, base_url=URL) as client,
        pytest.raises(WebSocketDenialResponse) as closed,
        client.websocket_connect("/mine"),
    ):
        raise AssertionError("it was accepted")
    assert closed.value.json()["code"] == "not_authenticated"


async def test_guards_work_in_an_app_that_is_mounted_in_the_host(kit: Kit) -> None:
    """A mounted application's guard answers 401 and not 500, clears a dead cookie, and its own 500 stays its own."""
    app, inner = FastAPI(), FastAPI()
    Ostiary(kit.engine).install(app)

    @inner.get("/me")
    async def me(user: CurrentUser) -> str | None:
        return user.email

    @inner.get("/broken")
    async def broken(user: CurrentUser) -> None:
        raise RuntimeError("the host's own mistake")

    @inner.get("/sorry")
    async def sorry(user: CurrentUser) -> Response:
        return PlainTextResponse("sorry", 500)

    app.mount("/inner", inner)
    async with client_of(app, kit) as nobody:
        refused = await nobody.get("/inner/me")
        assert (refused.status_code, refused.json()["code"]) == (401, "not_authenticated")
    async with visiting(app, kit) as (client, token):
        assert (await client.get("/inner/me")).json() == "anna@example.com"
        assert (await client.get("/inner/broken")).text == "Internal Server Error"
        assert (await client.get("/inner/sorry")).text == "sorry"
        twin = dict(client.cookies)
        await client.post("/auth/logout", headers=token)
    async with client_of(app, kit, cookies=twin) as late:
        ended = await late.get("/inner/me")
        assert (ended.status_code, ended.json()["code"]) == (401, "session_ended")
        assert any(
            line.startswith("__Host-ostiary=; Max-Age=0") for line in ended.headers.get_list("set-cookie")
        )


async def test_a_host_below_a_prefix_keeps_its_api_and_its_guards(kit: Kit) -> None:
    """Mounted in another application, or behind a root path, the JSON API and the guards work below the prefix."""
    host = FastAPI()
    auth = Ostiary(kit.engine)
    auth.install(host)

    @host.get("/me")
    async def me(user: CurrentUser) -> str | None:
        return user.email

    outer = FastAPI()
    outer.mount("/app", host)
    await kit.signed_up("anna@example.com")
    for app, prefix in ((outer, "/app"), (host, "/app")):
        transport = httpx2.ASGITransport(app, root_path="" if app is outer else "/app")
        async with httpx2.AsyncClient(transport=transport, base_url=kit.base_url) as client:
            body = {"identifier": "anna@example.com", "password": PASSWORD}
            assert (await client.get(f"{prefix}/me")).status_code == 401
            assert (await client.post(f"{prefix}/auth/login", json=body)).status_code == 200
            assert (await client.get(f"{prefix}/me")).json() == "anna@example.com"


async def test_a_form_of_the_host_carries_the_token_in_a_field(kit: Kit) -> None:
    """A plain form posts with the hidden field that CsrfToken fills; the route still reads the whole body."""
    app = FastAPI()
    Ostiary(kit.engine).install(app)

    @app.get("/form")
    async def show(token: CsrfToken) -> str:
        return token

    @app.post("/form")
    async def take(request: Request, user: OptionalUser) -> str:
        return (await request.body()).decode()

    async with client_of(app, kit) as nobody:
        assert (await nobody.get("/form")).json() == ""
        assert (await nobody.post("/form", data={"words": "x"})).json() == "words=x"
    async with visiting(app, kit) as (client, header):
        token = (await client.get("/form")).json()
        assert token == header["x-csrf-token"]
        fields = {"words": "hi", "csrf_token": token}
        assert (await client.post("/form", data=fields)).json() == f"words=hi&csrf_token={token}"
        for data in ({"words": "hi"}, {"csrf_token": token[:-1]}, {"csrf_token": [token, token]}):
            refused = await client.post("/form", data=data)
            assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")
        text = await client.post(
            "/form", content=f"csrf_token={token}", headers={"content-type": "text/plain"}
        )
        assert text.status_code == 403


def _routes(app: FastAPI, path: str) -> None:
    router = APIRouter()

    @router.get(path)
    async def mine() -> None: ...

    app.include_router(router)


def _mounts(app: FastAPI, path: str) -> None:
    inner = FastAPI()
    _routes(inner, path.removeprefix("/auth"))
    app.mount("/auth", inner)


@pytest.mark.parametrize(
    ("add", "path"),
    [(_routes, "/login"), (_routes, "/auth/sessions/{any}"), (_routes, "/account/security"), (_mounts, "/auth/login")],
)  # fmt: skip
async def test_a_path_of_ours_in_the_host_is_named_at_start(
    kit: Kit, add: Callable[[FastAPI, str], None], path: str
) -> None:
    """Whatever the host would serve where ostiary does is a mistake that start names, with or without a lifespan."""
    app = FastAPI()
    Ostiary(kit.engine).install(app)
    add(app, path)
    with pytest.raises(Misuse, match=f"never be reached: {path.replace('{', '.').replace('}', '.')}"):
        async with app.router.lifespan_context(app):
            raise AssertionError("it started")
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=kit.base_url) as client:
        with pytest.raises(Misuse, match="never be reached"):
            await client.get("/elsewhere")


async def test_neighbours_of_our_paths_are_the_hosts(kit: Kit) -> None:
    """What only looks like ours is served by the host: catch-alls, parameters, WebSockets, longer and shorter paths."""
    app = FastAPI()
    Ostiary(kit.engine).install(app)
    for path in ("/", "/login/help", "/logins", "/auth", "/account/{part}", "/{page}", "/all/{rest:path}"):
        _routes(app, path)

    @app.websocket("/login")
    async def socket(_: WebSocket) -> None: ...

    app.mount("/files", PlainTextResponse("a file"))
    async with client_of(app, kit) as client:
        for path in ("/", "/login/help", "/logins", "/auth", "/account/mine", "/anything", "/all/a/b"):
            assert (await client.get(path)).json() is None
        assert (await client.get("/files/x")).text == "a file"
        assert (await client.get("/login")).headers["content-type"].startswith("text/html")


async def test_install_twice_or_too_late_is_a_mistake(kit: Kit) -> None:
    """A second `install` on one application, and one after it has begun to serve, say what is wrong."""
    app = FastAPI()
    Ostiary(kit.engine).install(app)
    with pytest.raises(Misuse, match="once is enough"):
        Ostiary(kit.engine).install(app)
    late = FastAPI()
    async with client_of(late, kit) as client:
        await client.get("/")
    with pytest.raises(Misuse, match="before the application serves"):
        Ostiary(kit.engine).install(late)
