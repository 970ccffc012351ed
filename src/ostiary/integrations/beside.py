"""Owns the ASGI middleware that puts ostiary beside a host: our paths are ours, all others stay the host's.

The host's exception handlers, middleware and responses are left alone. Only what its guards
bring about is added to its requests: a refusal becomes the same problem document as everywhere, a dead cookie is
cleared, rate limits are told. That holds for apps that are mounted in the host, too.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Mount, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from ostiary.engine.engine import Engine
from ostiary.http.table import path_in
from ostiary.integrations.demands import Fields, HostVisit, name_of, refusal, reply_headers
from ostiary.integrations.host import Ostiary
from ostiary.kernel.errors import Misuse, Refused, Unavailable

_HERE: Final = "ostiary.here"
_URLENCODED: Final = "application/x-www-form-urlencoded"
_PARSES_MULTIPART: Final = find_spec("python_multipart") is not None  # Starlette's own optional dependency
_DENIAL: Final = "websocket.http.response"
_POLICY_VIOLATION: Final = 1008
_PARAMETER: Final = re.compile(r"{[^}]*}")


@dataclass(slots=True)
class _Here:
    """What a request to the host and its guards share; a mounted app gets a copy of the scope, but the same object."""

    auth: Ostiary
    path: str
    visit: HostVisit | None = None


class _Reply:
    """The host's response on its way out.

    It clears a dead cookie, and holds a 500 back until the host has returned: an app that is mounted in the host
    answers 500 to every exception that it does not know, a guard's refusal among them, and raises it again.
    """

    def __init__(self, here: _Here, send: Send) -> None:
        self._here = here
        self._send = send
        self._held: list[Message] = []
        self.has_started = False

    async def send(self, message: Message) -> None:
        """Pass a message on, or hold it."""
        is_start = message["type"] == "http.response.start"
        if is_start and message["status"] == 500 and self._here.visit is not None:
            self._held.append(message)
        elif self._held:
            self._held.append(message)
            if message.get("more_body"):
                await self.release()
        else:
            await self._pass(message)

    async def release(self) -> None:
        """Send what was held."""
        held, self._held = self._held, []
        for message in held:
            await self._pass(message)

    def drop(self) -> None:
        """Forget what was held."""
        self._held.clear()

    async def _pass(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_started = True
            visit = self._here.visit
            if visit is not None:
                given = list(message.get("headers", ()))
                message["headers"] = given + reply_headers(visit, given)
        await self._send(message)


class Beside:
    """Middleware: ostiary's routes, and what guards on the host's own routes need.

    Args:
        app: The host.
        auth: Its ostiary.
        check: Raises if the host has paths that are ours; called once, since its routes may be added after `install`.
    """

    def __init__(self, app: ASGIApp, auth: Ostiary, check: Callable[[], None]) -> None:
        self._app = app
        self._auth = auth
        self._engine = auth.engine
        self._check: Callable[[], None] | None = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is ours; let the host answer the rest."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if self._check is not None:  # for servers and tests that run no lifespan
            self._check()
            self._check = None
        await self._engine.start()
        path = path_in(scope)
        here = _Here(self._auth, path)
        if scope["type"] == "websocket":
            scope[_HERE] = here
            await self._websocket(here, scope, receive, send)
        elif self._engine.app.owns(path):
            await self._engine.app(scope, receive, send)
        else:
            scope[_HERE] = here
            await self._http(here, scope, receive, send)

    async def _http(self, here: _Here, scope: Scope, receive: Receive, send: Send) -> None:
        reply = _Reply(here, send)
        try:
            await self._app(scope, receive, reply.send)
        except BaseException as error:
            refused = _refused_in(error)
            if refused is None or reply.has_started or here.visit is None:
                await reply.release()
                raise
            reply.drop()
            await refuse(refused, here.visit, scope, receive, reply.send)
            return
        await reply.release()

    async def _websocket(self, here: _Here, scope: Scope, receive: Receive, send: Send) -> None:
        has_answered = False

        async def noting(message: Message) -> None:
            nonlocal has_answered
            has_answered = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            refused = _refused_in(error)
            if refused is None or has_answered or here.visit is None:
                raise
            await refuse(refused, here.visit, scope, receive, send)


def _refused_in(error: BaseException) -> Refused | Unavailable | None:
    """What a guard raised, also below what Starlette says when a mounted app had answered 500 to it."""
    for one in (error, error.__cause__ if isinstance(error, RuntimeError) else None):
        if isinstance(one, (Refused, Unavailable)):
            return one
    return None


async def _answer(connection: HTTPConnection, error: Exception) -> Response | None:
    """The host's handler for what guards raise: answered at the route, inside of the host's own middleware."""
    here: _Here | None = connection.scope.get(_HERE)
    if here is None or here.visit is None or not isinstance(error, (Refused, Unavailable)):
        raise error  # no guard of ours asked: the host's own code raised it
    if isinstance(connection, WebSocket):
        await refuse(error, here.visit, connection.scope, connection.receive, connection.send)
        return None
    return refusal(error, here.visit)


async def refuse(
    error: Refused | Unavailable, visit: HostVisit, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer what a demand raised; a WebSocket that cannot be answered is closed before it opens."""
    if scope["type"] == "websocket" and _DENIAL not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
    else:
        await refusal(error, visit)(scope, receive, send)


def visit_for(connection: HTTPConnection) -> HostVisit:
    """The visit of a request to one of the host's routes, made when a guard first asks.

    Raises:
        Misuse: `install` was not called on the app that this request came to.
    """
    scope = connection.scope
    here: _Here | None = scope.get(_HERE)
    if here is None:
        raise Misuse(
            "a guard of ostiary was asked, but it stands outside: call auth.install(app) on the outermost app, "
            "after `app.add_middleware(…)` of everything that asks guards"
        )
    visit = here.visit
    if visit is None:
        visit = here.visit = here.auth.visit(scope, here.path)
    visit.scope = scope
    visit.request = connection
    endpoint = scope.get("endpoint")
    if endpoint is not None:
        visit.endpoint = name_of(endpoint)
    if isinstance(connection, Request):
        # Starlette keeps what was read for the route.
        visit.read_form = partial(fields_of, connection)
    return visit


def is_by_https(scope: Scope) -> bool:
    """Whether the base URL says that browsers come by https, whatever a proxy in front makes of it."""
    here: _Here | None = scope.get(_HERE)
    return here is not None and here.auth.engine.app.edge.base.is_https


async def fields_of(request: Request) -> Fields:
    """The fields of a form that are text; none when it cannot be read as the form that it says it is."""
    kind = request.headers.get("content-type", "").lower()
    if kind.startswith(_URLENCODED):
        try:
            return tuple(parse_qsl((await request.body()).decode("latin-1"), keep_blank_values=True))
        except RuntimeError:
            pass  # FastAPI has parsed it already, for the route's own Form fields
    elif not _PARSES_MULTIPART:
        return ()
    try:
        form = await request.form()
    except (MultiPartException, HTTPException):  # the second is the first, inside an application
        return ()
    return tuple((name, value) for name, value in form.multi_items() if isinstance(value, str))


def _refuse_collisions(engine: Engine, paths: Iterable[str]) -> None:
    taken = sorted({path for path in paths if engine.app.owns(_PARAMETER.sub("1", path))})
    if taken:
        raise Misuse(
            f"ostiary serves these paths, so the application's own would never be reached: {', '.join(taken)}; "
            "move them, or leave the feature out with `ribs`"
        )


def paths_of(routes: Any, listed: Callable[[Any], Iterable[Any]], prefix: str = "") -> Iterator[str]:
    """The paths that an application serves itself.

    Args:
        routes: Its routes.
        listed: How its framework lists those of routers that it includes.
        prefix: Where it is mounted.
    """
    for route in listed(routes):
        original = getattr(route, "original_route", route)
        path = getattr(route, "path", None)
        if path is None or isinstance(original, WebSocketRoute):
            continue
        yield prefix + path
        if isinstance(original, Mount):
            yield f"{prefix}{path}/{{any}}"
            yield from paths_of(original.routes, listed, prefix + path)


def install(app: Starlette, auth: Ostiary, listed: Callable[[Any], Iterable[Any]] = iter) -> None:
    """Put ostiary beside a Starlette or FastAPI application, and let it live as long as the application does.

    Args:
        app: The host.
        auth: Its ostiary.
        listed: How its framework lists its routes.

    Raises:
        Misuse: the application has begun to serve, or ostiary was installed on it before.
    """
    if any(getattr(middleware, "cls", None) is Beside for middleware in app.user_middleware):
        raise Misuse("auth.install(app) was called on this application before; once is enough")

    def check() -> None:
        _refuse_collisions(auth.engine, paths_of(app.routes, listed))

    try:
        app.add_middleware(Beside, auth=auth, check=check)
    except RuntimeError as error:
        raise Misuse(
            "auth.install(app) must be called before the application serves its first request"
        ) from error
    for family in (Refused, Unavailable):
        app.exception_handlers.setdefault(family, _answer)
    inner: Callable[[Any], AbstractAsyncContextManager[Any]] = app.router.lifespan_context

    @asynccontextmanager
    async def with_ostiary(host: Any) -> AsyncIterator[Any]:
        check()
        await auth.start()
        try:
            async with inner(host) as state:
                yield state
        finally:
            await auth.stop()

    app.router.lifespan_context = with_ostiary
