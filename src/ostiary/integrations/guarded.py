"""Owns the ASGI middleware that guards a whole application, a router or a mount, but for its public paths."""

from collections.abc import Sequence
from typing import Protocol

from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ostiary.http.table import path_in
from ostiary.integrations.beside import fields_of, refuse, visit_for
from ostiary.integrations.demands import Demand, Fields, signed_in
from ostiary.integrations.paths import Prefixes
from ostiary.kernel.errors import Misuse, Refused, Unavailable


class Demanding(Protocol):
    """A guard such as `requires("notes:read")`."""

    @property
    def demand(self) -> Demand:
        """What it demands."""


class Guarded:
    """Middleware: nothing inside runs unless every guard lets the request pass; WebSockets are judged at the handshake.

    Args:
        app: What runs inside.
        guards: Such as `requires("notes:read")`; unless given, whoever is signed in may pass.
        public: Paths that anybody may call, with what is below them (``/`` is only itself), as seen by `app`. No other
            spelling of a path is public.

    Raises:
        Misuse: something given is no guard, or no path.

    Put it inside ostiary: add it before `auth.install(app)`, which goes around everything added so far.
    """

    def __init__(self, app: ASGIApp, *guards: Demanding, public: Sequence[str] = ()) -> None:
        for guard in guards:
            if not hasattr(guard, "demand"):
                raise Misuse(f'Guarded takes guards such as requires("notes:read"), not {guard!r}')
        self._app = app
        self._demands = tuple(guard.demand for guard in guards) or (signed_in(),)
        self._public = Prefixes(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask, then run the app."""
        if scope["type"] not in ("http", "websocket") or self._public.hold(
            path_in(scope), scope.get("raw_path")
        ):
            await self._app(scope, receive, send)
            return
        await ask(self._demands, self._app, scope, receive, send)


async def ask(demands: Sequence[Demand], app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run an app if every demand is met, and answer for it otherwise."""
    visit = visit_for(HTTPConnection(scope))
    if scope["type"] == "http":
        receive = twice = _Twice(scope, receive, visit.edge.settings.body_limit)
        visit.request, visit.read_form = twice.request, twice.fields
    try:
        for demand in demands:
            await demand(visit)
    except (Refused, Unavailable) as error:
        await refuse(error, visit, scope, receive, send)
        return
    await app(scope, receive, send)


class _Twice:
    """A request's body that guards may look into, and that the app still reads from its beginning.

    Args:
        scope: The request's.
        receive: The server's.
        room: For how many bytes a guard waits; it reads no longer form.
    """

    def __init__(self, scope: Scope, receive: Receive, room: int) -> None:
        self._scope = scope
        self._receive = receive
        self._room = room
        self._kept: list[Message] = []
        self._is_whole = False
        self.request = Request(scope, self._peek)

    async def __call__(self) -> Message:
        """For the app: what was kept, then what follows."""
        return self._kept.pop(0) if self._kept else await self._receive()

    async def _peek(self) -> Message:
        message = await self._receive()
        self._kept.append(message)
        self._room -= len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        return message

    async def fields(self) -> Fields:
        """The fields of the form; none when it is too long, or did not arrive whole."""
        while not self._is_whole and self._room >= 0:
            await self._peek()
        if self._room < 0 or self._kept[-1]["type"] != "http.request":
            return ()
        request = Request(self._scope, _again(tuple(self._kept)))
        try:
            return await fields_of(request)
        finally:
            await request.close()  # uploaded files; the app reads its own


def _again(kept: Sequence[Message]) -> Receive:
    messages = iter(kept)

    async def receive() -> Message:
        return next(messages)

    return receive
