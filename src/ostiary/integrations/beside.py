"""Owns the ASGI middleware that puts ostiary beside a host: our paths are ours, all others stay the host's.

The host's exception handlers, middleware and responses are left alone. Only two things are added to its requests: a
guard's refusal becomes the same problem document as everywhere, and a dead cookie that a guard met is cleared.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ostiary.engine.engine import Engine
from ostiary.http.csrf import SAFE_METHODS, check_csrf
from ostiary.http.problems import answer_to
from ostiary.http.table import path_in
from ostiary.http.visit import KEY, Visit
from ostiary.integrations.host import Ostiary
from ostiary.kernel.errors import Misuse, Refused, Unavailable

_ENGINE: Final = "ostiary.engine"


class Beside:
    """Middleware: ostiary's routes, and what guards on the host's own routes need.

    Args:
        app: The host.
        auth: Its ostiary.
    """

    def __init__(self, app: ASGIApp, auth: Ostiary) -> None:
        self._app = app
        self._engine = auth.engine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is ours; let the host answer the rest."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                scope[_ENGINE] = self._engine
            await self._app(scope, receive, send)
            return
        await self._engine.start()
        if self._engine.app.owns(path_in(scope)):
            await self._engine.app(scope, receive, send)
            return
        scope[_ENGINE] = self._engine
        await self._host(scope, receive, send)

    async def _host(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_started = False

        async def clearing(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                visit: Visit | None = scope.get(KEY)
                if visit is not None and visit.is_stale:
                    cookies = self._engine.app.edge.cookies
                    message["headers"] = [*message.get("headers", ()), *cookies.clear_session()]
            await send(message)

        try:
            await self._app(scope, receive, clearing)
        except (Refused, Unavailable) as error:
            visit = scope.get(KEY)
            if has_started or visit is None:
                raise
            response = answer_to(error, visit)
            await response(scope, receive, clearing)


def visit_for(connection: HTTPConnection) -> Visit:
    """The visit of a request to one of the host's routes, made when a guard first asks.

    Raises:
        Misuse: `install` was not called on the app that this request came to.
    """
    scope = connection.scope
    visit: Visit | None = scope.get(KEY)
    if visit is None:
        engine: Engine | None = scope.get(_ENGINE)
        if engine is None:
            raise Misuse("a guard of ostiary was asked, but auth.install(app) was not called on this app")
        visit = scope[KEY] = Visit(engine.app.edge, scope, path_in(scope))
    return visit


async def guarded(connection: HTTPConnection) -> Visit:
    """The visit, after the check that every guard which accepts a cookie owes (E3): unsafe calls need CSRF proof.

    Raises:
        Refused: `csrf_failed`.
    """
    visit = visit_for(connection)
    if connection.scope.get("method", "GET") not in SAFE_METHODS:
        await check_csrf(visit)
    return visit


def install(app: Starlette, auth: Ostiary) -> None:
    """Put ostiary beside a Starlette or FastAPI application, and let it live as long as the application does.

    Raises:
        Misuse: the application has begun to serve.
    """
    try:
        app.add_middleware(Beside, auth=auth)
    except RuntimeError as error:
        raise Misuse(
            "auth.install(app) must be called before the application serves its first request"
        ) from error
    inner: Callable[[Any], AbstractAsyncContextManager[Any]] = app.router.lifespan_context

    @asynccontextmanager
    async def with_ostiary(host: Any) -> AsyncIterator[Any]:
        await auth.start()
        try:
            async with inner(host) as state:
                yield state
        finally:
            await auth.stop()

    app.router.lifespan_context = with_ostiary
