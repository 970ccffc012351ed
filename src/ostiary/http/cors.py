"""Owns cross-origin resource sharing (E9): with credentials, for the operator's own front ends, and for nobody else."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ostiary.http.edge import Edge
from ostiary.http.visit import visit_of

Pair = tuple[bytes, bytes]

_VARY: Final = (b"vary", b"Origin")
_PREFLIGHT: Final[tuple[Pair, ...]] = (
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
    (b"access-control-allow-headers", b"Content-Type, X-CSRF-Token, Authorization"),
    (b"access-control-max-age", b"600"),
    (b"content-length", b"0"),
)
_EXPOSED: Final = (
    b"access-control-expose-headers",
    b"RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-ID",
)
_CREDENTIALS: Final = (b"access-control-allow-credentials", b"true")


def cors_headers(origin: bytes | None, front_ends: frozenset[bytes]) -> list[Pair]:
    """What a response tells the browser about its caller's origin: the exact origin, or nothing."""
    if origin is None or origin not in front_ends:
        return [_VARY]
    return [_VARY, (b"access-control-allow-origin", origin), _CREDENTIALS, _EXPOSED]


class Cors:
    """Middleware: answers preflights of the front ends and marks the responses to them.

    Args:
        app: What runs inside.
        edge: The engine.
    """

    def __init__(self, app: ASGIApp, edge: Edge) -> None:
        self._app = app
        self._front_ends = edge.front_ends

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app; with no front ends configured this costs one comparison."""
        if not self._front_ends:
            await self._app(scope, receive, send)
            return
        headers = visit_of(scope).headers
        origin = headers.get(b"origin")
        added = cors_headers(origin, self._front_ends)
        if (
            scope["method"] == "OPTIONS"
            and b"access-control-request-method" in headers
            and origin in self._front_ends
        ):
            await send({"type": "http.response.start", "status": 204, "headers": [*added, *_PREFLIGHT]})
            await send({"type": "http.response.body", "body": b""})
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [
                    pair for pair in message.get("headers", ()) if not pair[0].startswith(b"access-control-")
                ]
                message["headers"] = kept + added
            await send(message)

        await self._app(scope, receive, marked)
