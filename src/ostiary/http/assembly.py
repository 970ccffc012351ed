"""Owns how the pieces become one ASGI app: the order of the middleware, and what happens at its two ends."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import orjson
from fastapi import Depends, FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ostiary.core.wiring import Core
from ostiary.http.access import PUBLIC, dependency_of
from ostiary.http.body import Body
from ostiary.http.cors import Cors
from ostiary.http.csrf import Csrf
from ostiary.http.edge import Edge
from ostiary.http.headers import Headers, ToHttps
from ostiary.http.openapi import PATH as OPENAPI_PATH
from ostiary.http.openapi import document
from ostiary.http.problems import HANDLERS, Problems
from ostiary.http.routing import Hot, JsonRoutes
from ostiary.http.shell import Shell
from ostiary.http.table import Declared, Found, Table, path_in
from ostiary.http.visit import KEY, Visit, visit_of

_FOUND: Final = "ostiary.found"
# RFC 9110 section 9.3.8 lets TRACE mirror credentials; CONNECT is for proxies.
_NEVER: Final = frozenset({"TRACE", "TRACK", "CONNECT"})


def json_response(content: Any, status: int = 200, headers: Iterable[tuple[bytes, bytes]] = ()) -> Response:
    """A JSON response of a hot route.

    Args:
        content: What orjson can write; moments end with `Z`, as on the typed routes.
        status: The HTTP status.
        headers: More headers, such as cookies.
    """
    response = Response(orjson.dumps(content, option=orjson.OPT_UTC_Z), status, media_type="application/json")
    response.raw_headers.extend(headers)
    return response


class Dispatch:
    """The innermost app: a hot route, or FastAPI.

    Args:
        table: Every route.
        api: The FastAPI app.
    """

    def __init__(self, table: Table, api: ASGIApp) -> None:
        self._table = table
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the route's own guard judge, then run it."""
        method = scope["method"]
        if method == "OPTIONS":
            await self._options(scope, receive, send)
            return
        if method == "HEAD":
            # Nobody downstream sees HEAD: code that only knows GET and "everything else" has mistaken it for a POST.
            scope = {**scope, "method": "GET"}
            send = _bodiless(send)
        found: Found | None = scope[_FOUND]
        if found is None:
            await self._api(scope, receive, send)
            return
        hot = found.hot
        if hot is None:
            raise HTTPException(405, headers={"Allow": _allow(found.methods)})
        visit = visit_of(scope)
        if hot.access.check is not None:
            await hot.access.check(visit)
        scope["path_params"] = found.params
        response = await hot.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)

    async def _options(self, scope: Scope, receive: Receive, send: Send) -> None:
        methods = self._table.methods(visit_of(scope).path)
        if not methods:
            raise HTTPException(404)
        await Response(status_code=204, headers={"allow": _allow(methods)})(scope, receive, send)


class Admission:
    """Middleware: turns requests away from networks that nobody may come from, before anything is read of them.

    Args:
        app: What runs inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge where the request came from, then run the app."""
        found: Found | None = scope[_FOUND]
        if found is None or found.hot is None or not found.hot.is_probe:
            await visit_of(scope).admit_stranger()
        await self._app(scope, receive, send)


def _allow(methods: Iterable[str]) -> str:
    names = set(methods) | {"OPTIONS"}
    return ", ".join(sorted(names | {"HEAD"} if "GET" in names else names))


def _bodiless(send: Send) -> Send:
    async def without_body(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return without_body


class App:
    """An assembled app.

    Args:
        edge: The engine.
        table: Every route.
        api: The FastAPI app.
    """

    def __init__(self, edge: Edge, table: Table, api: FastAPI) -> None:
        self._edge = edge
        self._table = table
        self._segments = frozenset(line.path[1:].partition("/")[0] for line in table.declared)
        inner: ASGIApp = Csrf(Dispatch(table, api))
        inner = Admission(ToHttps(Body(inner, edge.settings.body_limit), edge))
        # CORS stands outside the problems, since a front end must be able to read them, too.
        self._inner: ASGIApp = Headers(Cors(Problems(inner), edge), edge)

    @property
    def edge(self) -> Edge:
        """The engine as seen from HTTP."""
        return self._edge

    @property
    def declared(self) -> tuple[Declared, ...]:
        """Every method and path with its access."""
        return self._table.declared

    def owns(self, path: str) -> bool:
        """Whether a path is one of ours, for a host that serves its own beside them."""
        # The host's own requests all pass here: nearly every one is told apart by its first segment.
        return path[1:].partition("/")[0] in self._segments and bool(self._table.methods(path))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begin the visit."""
        kind = scope["type"]
        if kind == "lifespan":
            await _nothing_to_do(receive, send)
            return
        if kind != "http":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        path = path_in(scope)
        visit = Visit(self._edge, scope, path)
        method = scope["method"]
        found = self._table.find(path, "GET" if method == "HEAD" else method)
        if found is not None and found.hot is not None:
            hot = found.hot
            visit.takes_form = hot.takes_form
            visit.on_problem = hot.on_problem
        inside = {**scope, KEY: visit, _FOUND: found}
        if method in _NEVER:
            await Headers(_refuse_method, self._edge)(inside, receive, send)
            return
        await self._inner(inside, receive, send)


async def _nothing_to_do(receive: Receive, send: Send) -> None:
    # Whoever made the engine starts and stops it; to a server that asks the app itself, both are done.
    for _ in range(2):
        message = await receive()
        await send({"type": f"{message['type']}.complete"})


async def _refuse_method(scope: Scope, receive: Receive, send: Send) -> None:
    await Problems(_raise_405)(scope, receive, send)


async def _raise_405(scope: Scope, receive: Receive, send: Send) -> None:
    raise HTTPException(405, headers={"Allow": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"})


def assemble(
    core: Core,
    hot: Iterable[Hot],
    json_routers: Iterable[JsonRoutes] = (),
    *,
    shell: Shell | None = None,
) -> App:
    """Make one ASGI app of everything that the ribs declare.

    Args:
        core: The wired core; its base URL was checked with `check_base_url`.
        hot: Plain routes.
        json_routers: FastAPI routers.
        shell: What pages know of their surroundings; the paths are filled in here.

    Raises:
        Misuse: routes contradict each other.
    """
    api = FastAPI(
        title="ostiary", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False,
        exception_handlers=HANDLERS,
    )  # fmt: skip
    routers = tuple(json_routers)
    for part in routers:
        api.include_router(part.router, dependencies=[Depends(dependency_of(part.access))])
    written: list[bytes] = []

    async def openapi(_: Request) -> Response:
        if not written:
            written.append(document(api, table.hot))
        return Response(written[0], media_type="application/json")

    table = Table([*hot, Hot(OPENAPI_PATH, ("GET",), openapi, PUBLIC)], routers)
    paths = frozenset(route.path for route in table.hot)
    return App(Edge.of(core, replace(shell or Shell(), paths=paths)), table, api)
