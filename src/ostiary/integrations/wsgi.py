"""Owns the bridge by which a WSGI host reaches ostiary's ASGI app, and the visit of a WSGI request for its guards.

What a WSGI server says about a request is trusted as far as PEP 3333 defines it. It cannot tell `X_Forwarded_For` from
`X-Forwarded-For`: that is why servers drop names with underscores (gunicorn, Werkzeug, waitress and mod_wsgi do), and
why one that does not must not stand behind `trusted_proxies`. Why not a2wsgi: docs/decisions/0025-synchronous-hosts.md.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from queue import Empty, SimpleQueue
from typing import Any, Final, Self
from urllib.parse import quote

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Scope

from ostiary.http.problems import answer_to
from ostiary.http.table import path_in
from ostiary.http.visit import AT_ONCE
from ostiary.integrations.demands import HostVisit
from ostiary.integrations.host import Ostiary
from ostiary.integrations.portal import PATIENCE, Portal
from ostiary.kernel.errors import Unavailable

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

_VISIT: Final = "ostiary.visit"  # no client can write such a key: its headers begin with HTTP_
_HEADER: Final = re.compile(r"HTTP_[A-Z0-9_]+")
# These two have keys of their own; HTTP_CONTENT_LENGTH is somebody's `Content_Length`.
_NO_HEADERS: Final = frozenset({"HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"})
_PATH_SAFE: Final = "/:@!$&'()*+,;=~"  # RFC 3986 section 3.3
_PART: Final = 65_536
_AHEAD: Final = 4
# The connection to the client is the WSGI server's alone (PEP 3333, "Other HTTP features").
_HOP_BY_HOP: Final = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade".split()
)
_STATUS: Final = {one.value: f"{one.value} {one.phrase}" for one in HTTPStatus}


def scope_of(environ: Environ) -> Scope:
    """The ASGI scope of a WSGI request (PEP 3333: its texts are bytes decoded as latin-1)."""
    mount, below = (environ.get(name, "").encode("latin-1") for name in ("SCRIPT_NAME", "PATH_INFO"))
    peer, port = environ.get("REMOTE_ADDR", ""), environ.get("REMOTE_PORT", "")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": environ.get("SERVER_PROTOCOL", "HTTP/1.1").rpartition("/")[2],
        "method": environ["REQUEST_METHOD"].upper(),
        "scheme": environ.get("wsgi.url_scheme", "http"),
        "path": (mount + below).decode("utf-8", "replace"),
        # Quoted again from what the server has decoded, and not RAW_URI: one truth about the path is enough.
        "raw_path": quote(mount + below, safe=_PATH_SAFE).encode(),
        "root_path": mount.decode("utf-8", "replace"),
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1"),
        "headers": _headers(environ),
        "client": (peer, int(port) if str(port).isdigit() else 0) if peer else None,
        "server": (environ.get("SERVER_NAME", ""), int(environ.get("SERVER_PORT") or 0)),
        AT_ONCE: True,
    }


def _headers(environ: Environ) -> list[tuple[bytes, bytes]]:
    found = [
        (name[5:].replace("_", "-").lower().encode(), value.encode("latin-1"))
        for name, value in environ.items()
        if _HEADER.fullmatch(name) and name not in _NO_HEADERS
    ]
    own = ((b"content-type", environ.get("CONTENT_TYPE")), (b"content-length", environ.get("CONTENT_LENGTH")))
    # Some servers give "" for a header that is not there.
    return found + [(name, value.encode("latin-1")) for name, value in own if value]


def path_of(environ: Environ) -> str:
    """Where a request leads, below the mount point."""
    path: str = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
    return path


def visit_of(auth: Ostiary, environ: Environ) -> HostVisit:
    """The visit of a WSGI request to one of the host's routes, made when it is first asked for."""
    found = known_visit(environ)
    if (
        found is None or found.edge is not auth.engine.app.edge
    ):  # of an application with another ostiary around this one
        scope = scope_of(environ)
        found = environ[_VISIT] = auth.visit(scope, path_in(scope))
    return found


def known_visit(environ: Environ) -> HostVisit | None:
    """The visit of a WSGI request, if anything asked for it."""
    found: HostVisit | None = environ.get(_VISIT)
    return found


@dataclass(slots=True)
class Reply:
    """An answer in the terms of WSGI.

    Attributes:
        status: As on the status line: ``200 OK``.
        headers: Names and values; a name may come several times.
        body: The parts. Whoever does not read them to the end calls `close`.
    """

    status: str
    headers: list[tuple[str, str]]
    body: Iterator[bytes] = field(default_factory=lambda: iter(()))
    _exchange: "_Exchange | None" = None

    @classmethod
    def of(cls, response: Response) -> Self:
        """The same as a whole response of Starlette's, such as a refusal's."""
        return cls(_status(response.status_code), texts(response.raw_headers), iter([bytes(response.body)]))

    def __iter__(self) -> Iterator[bytes]:
        return self.body

    def close(self) -> None:
        """Nobody reads any more: the app is told that the client has left."""
        if self._exchange is not None:
            self._exchange.leave()


def _status(code: int) -> str:
    return _STATUS.get(code) or f"{code} Status"


def texts(headers: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Headers as WSGI wants them; those that are the server's alone are left out."""
    return [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in headers
        if name.lower() not in _HOP_BY_HOP
    ]


class Bridge:
    """A WSGI app that is ostiary's ASGI app, run in the portal's loop.

    Args:
        portal: The way to the engine.
        app: Another ASGI app than the engine's.
    """

    def __init__(self, portal: Portal, app: ASGIApp | None = None) -> None:
        self._portal = portal
        self._app = app or portal.auth.engine.app

    def owns(self, environ: Environ) -> bool:
        """Whether a request is for one of ostiary's routes."""
        return self._portal.auth.engine.app.owns(path_of(environ))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Reply:
        """Answer a request (PEP 3333)."""
        reply = self.open(environ)
        start_response(reply.status, reply.headers)
        return reply

    def open(self, environ: Environ) -> Reply:
        """Begin to answer a request: what comes back has its status and its headers, and its body follows.

        Raises:
            Exception: what the app raised instead of answering; ostiary's own answers everything.
            Misuse: the engine cannot start, see `Portal.call`.
        """
        scope = scope_of(environ)
        body, is_whole = _read(environ, self._portal.auth.engine.app.edge.settings.body_limit)
        exchange = _Exchange(self._app, scope, body, is_whole=is_whole)
        try:
            return exchange.begin(self._portal)
        except Unavailable as error:  # the engine could not start, or did not answer in time
            exchange.leave()
            return Reply.of(answer_to(error, visit_of(self._portal.auth, environ)))


def _read(environ: Environ, limit: int) -> tuple[bytes, bool]:
    """The body as far as it is worth reading, and whether that is all of it.

    One byte more than the limit is enough to refuse it; one that is too long by its own account, or whose length is no
    number, is refused by its header alone.
    """
    declared = environ.get("CONTENT_LENGTH") or ""
    if declared:
        if not (declared.isascii() and declared.isdigit()) or len(declared) > 18 or int(declared) > limit:
            return b"", True
        wanted = int(declared)
    elif environ.get("wsgi.input_terminated"):
        wanted = limit + 1
    else:
        return b"", True  # PEP 3333: without a length nobody may read
    parts: list[bytes] = []
    size = 0
    try:
        while size < wanted and (part := environ["wsgi.input"].read(min(_PART, wanted - size))):
            parts.append(part)
            size += len(part)
    except OSError:
        return b"", False
    return b"".join(parts), not declared or size == wanted


class _Exchange:
    """One request on its way through the app: its task in the loop sends, the thread of the server takes.

    Args:
        app: The app.
        scope: The request.
        body: Its body.
        is_whole: Whether the client has sent all of it.
    """

    def __init__(self, app: ASGIApp, scope: Scope, body: bytes, *, is_whole: bool) -> None:
        self._app = app
        self._scope = scope
        self._first: Message | None = (
            {"type": "http.request", "body": body, "more_body": False} if is_whole else None
        )
        self._patience = PATIENCE.total_seconds()
        self._sent: SimpleQueue[Message | BaseException | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._has_left = not is_whole
        self._gone: asyncio.Event
        self._room: asyncio.Semaphore

    async def _run(self) -> None:
        self._gone, self._room = asyncio.Event(), asyncio.Semaphore(_AHEAD)
        self._loop = asyncio.get_running_loop()
        if self._has_left:
            self._gone.set()
        try:
            await self._app(self._scope, self._receive, self._send)
        except BaseException as error:
            self._sent.put(error)
            if not isinstance(error, Exception):
                raise
        else:
            self._sent.put(None)

    async def _receive(self) -> Message:
        first, self._first = self._first, None
        if first is None:
            await self._gone.wait()
            return {"type": "http.disconnect"}
        return first

    async def _send(self, message: Message) -> None:
        if self._gone.is_set():
            return  # as ASGI servers do: what is under way runs to its end, unheard
        await self._room.acquire()  # so that a long answer waits for its reader
        self._sent.put(message)

    def begin(self, portal: Portal) -> Reply:
        """Run the app until its answer begins.

        Raises:
            Unavailable: it does not begin in time.
        """
        self._patience = portal.patience.total_seconds()
        future = portal.begin(self._run)
        try:
            message = self._next()
        except BaseException:
            future.cancel()
            raise
        if message is None:
            return Reply(_status(400), [])  # the client has left, so nobody was answered
        return Reply(_status(message["status"]), texts(list(message.get("headers", ()))), self._body(), self)

    def _next(self) -> Message | None:
        try:
            message = self._sent.get(timeout=self._patience)
        except Empty:
            raise Unavailable(f"a request of ostiary was not answered within {self._patience:g} s") from None
        if isinstance(message, asyncio.CancelledError):
            raise Unavailable("ostiary was stopped while a request was under way") from message
        if isinstance(message, BaseException):
            raise message
        if message is not None:
            self._tell(self._room.release)
        return message

    def _body(self) -> Iterator[bytes]:
        try:
            while (message := self._next()) is not None:
                if part := message.get("body", b""):
                    yield part
                if not message.get("more_body", False):
                    break
        finally:
            self.leave()

    def leave(self) -> None:
        """Nobody takes any more."""
        if not self._has_left:
            self._has_left = True
            self._tell(self._go)

    def _go(self) -> None:
        self._gone.set()
        for _ in range(_AHEAD):
            self._room.release()  # whoever waits for room to send need not wait any more

    def _tell(self, action: Callable[[], None]) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has closed
                self._loop.call_soon_threadsafe(action)
