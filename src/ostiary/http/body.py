"""Owns the request body: bounded, read once, parsed strictly, and handed on whole (L28).

Two parsers must never disagree about what a body says, so everything on which they differ is refused here: repeated
members, numbers beyond 64 bits, NaN, lone surrogates. PostgreSQL's TEXT holds no NUL, so none gets past this point,
except in passwords, which are hashed and never stored.
"""

import asyncio
import re
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ostiary.http.problems import (
    BODY_TOO_LARGE,
    MALFORMED_JSON,
    MALFORMED_REQUEST,
    REQUEST_TIMEOUT,
    UNSUPPORTED_MEDIA_TYPE,
    invalid,
)
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import Refused
from ostiary.protocols import strict_json

DEEPEST: Final = 32
PATIENCE: Final = timedelta(seconds=30)
MAY_HOLD_NUL: Final = frozenset({"password", "current_password", "new_password"})
_MOST_VALUES: Final = 1000
_MOST_FIELDS: Final = 200
_BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_JSON: Final = re.compile(
    rb"application/(?:[a-z0-9.-]+\+)?json(?:\s*;\s*charset=\"?utf-8\"?)?\s*", re.IGNORECASE
)
_FORM: Final = re.compile(
    rb"application/x-www-form-urlencoded(?:\s*;\s*charset=\"?utf-8\"?)?\s*", re.IGNORECASE
)
_INT64: Final = 2**63


class Disconnected(Exception):
    """The client left before its body was complete; there is nobody to answer."""


def parse_json(raw: bytes) -> Any:
    """Parse a JSON text (RFC 8259), more strictly than it asks.

    Raises:
        Refused: `malformed_json`; or `invalid_request`, naming the place, for a NUL character.
    """
    try:
        # 64 KiB of "{},{},…" would hold everybody up for as long as a password hash takes, so values are counted, too.
        parsed = strict_json.parse(raw, deepest=DEEPEST, most_values=_MOST_VALUES)
    except ValueError as error:
        raise _malformed(str(error)) from None
    _check(parsed)
    return parsed


def _malformed(reason: str) -> Refused:
    return Refused(MALFORMED_JSON, reason, counted=False)


def _check(parsed: Any) -> None:
    """Refuse numbers that PostgreSQL does not hold, and NUL where it would reach a column."""
    waiting: list[tuple[Any, tuple[str | int, ...]]] = [(parsed, ("body",))]
    while waiting:
        value, place = waiting.pop()
        if isinstance(value, str):
            if "\0" in value and place[-1] not in MAY_HOLD_NUL:
                raise _holds_nul(place)
        elif isinstance(value, dict):
            for name, inner in value.items():
                if "\0" in name:
                    raise _holds_nul(place)
                waiting.append((inner, (*place, name)))
        elif isinstance(value, list):
            waiting += [(inner, (*place, at)) for at, inner in enumerate(value)]
        elif isinstance(value, (int, float)) and not -_INT64 <= value < _INT64:
            raise _malformed("a number is beyond 64 bits")


def _holds_nul(place: tuple[str | int, ...]) -> Refused:
    return invalid(
        [{"loc": list(place), "message": "NUL characters are not allowed.", "type": "nul_character"}]
    )


def parse_form(raw: bytes) -> tuple[tuple[str, str], ...]:
    """The fields of a form, in order; repeated ones are kept, for the route to judge.

    Raises:
        Refused: not UTF-8, too many fields (`malformed_request`), or a NUL character (`invalid_request`).
    """
    try:
        fields = parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise Refused(MALFORMED_REQUEST, "form", counted=False) from None
    for name, value in fields:
        if "\0" in name or ("\0" in value and name not in MAY_HOLD_NUL):
            raise _holds_nul(("body", name.replace("\0", "")))
    return tuple(fields)


def check_target(raw_path: bytes, query: bytes) -> None:
    """Refuse a path or query that holds a NUL or is not UTF-8 once decoded.

    Raises:
        Refused: `malformed_request`.
    """
    for part in (raw_path, query):
        if b"%" not in part and part.isascii() and b"\0" not in part:
            continue
        decoded = unquote_to_bytes(part)
        try:
            decoded.decode()
        except UnicodeDecodeError:
            raise Refused(MALFORMED_REQUEST, "target is not UTF-8", counted=False) from None
        if b"\0" in decoded:
            raise Refused(MALFORMED_REQUEST, "NUL in target", counted=False)


class Body:
    """Middleware: reads, checks and replays the body.

    Args:
        app: What runs inside.
        limit: Most bytes.
        patience: How long the whole body may take to arrive.
    """

    def __init__(self, app: ASGIApp, limit: int, patience: timedelta = PATIENCE) -> None:
        self._app = app
        self._limit = limit
        self._patience = patience.total_seconds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the target, then the body if there may be one."""
        check_target(scope.get("raw_path") or scope["path"].encode(), scope["query_string"])
        visit = visit_of(scope)
        headers = visit.headers
        if (
            scope["method"] in _BODILESS
            and headers.get(b"content-length", b"0") == b"0"
            and b"transfer-encoding" not in headers
        ):
            await self._app(scope, receive, send)
            return
        try:
            raw = await self._read(receive, headers)
        except Disconnected:
            return
        if raw:
            self._parse(raw, visit)
        await self._app(scope, _Replay(raw, receive), send)

    async def _read(self, receive: Receive, headers: dict[bytes, bytes]) -> bytes:
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or len(declared) > 18:
            raise Refused(MALFORMED_REQUEST, "Content-Length", counted=False)
        if int(declared) > self._limit:
            raise Refused(BODY_TOO_LARGE, "by its own account", counted=False)
        try:
            async with asyncio.timeout(self._patience):
                return await self._collect(receive)
        except TimeoutError:
            raise Refused(REQUEST_TIMEOUT, "slow body", counted=False) from None

    async def _collect(self, receive: Receive) -> bytes:
        parts: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            part = message.get("body", b"")
            size += len(part)
            if size > self._limit:
                raise Refused(BODY_TOO_LARGE, "while it arrived", counted=False)
            parts.append(part)
            more = message.get("more_body", False)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _parse(self, raw: bytes, visit: Visit) -> None:
        kind = visit.headers.get(b"content-type", b"")
        if b"content-encoding" in visit.headers:
            raise Refused(UNSUPPORTED_MEDIA_TYPE, "compressed", counted=False)
        if visit.takes_form:
            if not _FORM.fullmatch(kind):
                raise Refused(UNSUPPORTED_MEDIA_TYPE, "not a form", counted=False)
            visit.form = parse_form(raw)
            return
        # text/plain and forms can be sent by any site without a preflight, so JSON must say that it is JSON (E3).
        if not _JSON.fullmatch(kind):
            raise Refused(UNSUPPORTED_MEDIA_TYPE, "not JSON", counted=False)
        parsed = parse_json(raw)
        if not isinstance(parsed, dict):
            raise invalid([{"loc": ["body"], "message": "The body must be an object.", "type": "dict_type"}])
        visit.json = parsed


class _Replay:
    """Gives the body once more, then whatever the connection says."""

    def __init__(self, raw: bytes, receive: Receive) -> None:
        self._raw = raw
        self._receive = receive
        self._is_given = False

    async def __call__(self) -> Message:
        if self._is_given:
            return await self._receive()
        self._is_given = True
        return {"type": "http.request", "body": self._raw, "more_body": False}
