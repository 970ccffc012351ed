"""Owns the headers of every response (E4), and the way from http to https."""

import logging
from typing import Final
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ostiary.http.edge import Edge
from ostiary.http.problems import limit_headers
from ostiary.http.settings import HttpSettings
from ostiary.http.visit import Visit, visit_of

Pair = tuple[bytes, bytes]

_YEAR: Final = 31_536_000
_TIGHT_CSP: Final = b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# What mail programs allow; only in development are mails shown here.
_MAIL_CSP: Final = _TIGHT_CSP + b"; style-src 'unsafe-inline'; sandbox"
_PAGE_CSP: Final[dict[str, tuple[str, ...]]] = {
    "default-src": ("'none'",),
    "script-src": ("'nonce-{nonce}'",),
    "style-src": ("'nonce-{nonce}'",),
    "img-src": ("'self'", "data:"),
    "font-src": ("'self'",),
    "connect-src": ("'self'",),
    "manifest-src": ("'self'",),
    "form-action": ("'self'",),
    "object-src": ("'none'",),
    "base-uri": ("'none'",),
    "frame-ancestors": ("'none'",),
}
_FIXED: Final[tuple[Pair, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"x-xss-protection", b"0"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_NO_STORE: Final = (b"cache-control", b"no-store")
# Probes come from inside, by plain http and by address.
_PLAIN_PATHS: Final = frozenset({"/healthz", "/readyz"})
_QUOTE_SAFE: Final = "/%:@!$&'()*+,;=-._~?"
_log: Final = logging.getLogger("ostiary.http")


def page_csp(extra: tuple[str, ...]) -> str:
    """The pages' policy with `{nonce}` in it; the settings group has already refused what would weaken it.

    Args:
        extra: Additions such as ``img-src https://cdn.example``.
    """
    directives = {name: list(sources) for name, sources in _PAGE_CSP.items()}
    for words in extra:
        name, *sources = words.split()
        directives.setdefault(name, []).extend(sources)
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in directives.items())


def hsts(settings: HttpSettings) -> Pair:
    """Strict-Transport-Security (RFC 6797)."""
    preload = "; preload" if settings.hsts_preload else ""
    return b"strict-transport-security", f"max-age={_YEAR}; includeSubDomains{preload}".encode()


class Headers:
    """Middleware: completes the headers of every response, whoever made it.

    Args:
        app: What runs inside.
        edge: The engine.
    """

    def __init__(self, app: ASGIApp, edge: Edge) -> None:
        self._app = app
        self._edge = edge
        self._fixed: tuple[Pair, ...] = _FIXED + ((hsts(edge.settings),) if edge.base.is_https else ())
        self._tight = (b"content-security-policy", _TIGHT_CSP)
        self._page = page_csp(edge.settings.csp_extra)
        self._ours = frozenset(name for name, _ in self._fixed) | {
            b"content-security-policy",
            b"x-request-id",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app with a `send` that completes the headers."""
        visit = visit_of(scope)

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.has_started = True
                message["headers"] = self.complete(visit, message.get("headers", ()))
            await send(message)

        await self._app(scope, receive, sealed)

    def complete(self, visit: Visit, given: "list[Pair] | tuple[Pair, ...]") -> list[Pair]:
        """The headers to send: the route's own, except where ours are fixed. Only Cache-Control may be the route's."""
        ours = self._ours
        out = [pair for pair in given if pair[0] not in ours]
        out += self._fixed
        out.append(self._policy(visit))
        out.append((b"x-request-id", visit.request_id.encode()))
        if not any(name == b"cache-control" for name, _ in given):
            out.append(_NO_STORE)
        if visit.known_origin is not None and visit.known_origin.quotas:
            out += limit_headers(visit.known_origin.quotas)
        if visit.is_stale and not any(self._edge.cookies.sets_session(pair) for pair in given):
            out += self._edge.cookies.clear_session()
        return out

    def _policy(self, visit: Visit) -> Pair:
        if visit.shows_mail:
            return b"content-security-policy", _MAIL_CSP
        return self._tight if visit.known_nonce is None else (b"content-security-policy", self._csp(visit))

    def _csp(self, visit: Visit) -> bytes:
        words = self._page.replace("{nonce}", visit.known_nonce or "")
        if visit.form_targets:
            words = words.replace("form-action 'self'", " ".join(["form-action 'self'", *visit.form_targets]))
        return words.encode()


class ToHttps:
    """Middleware: 308 from http to https, to the configured base URL and never to what the request names (L08).

    Args:
        app: What runs inside.
        edge: The engine.
    """

    def __init__(self, app: ASGIApp, edge: Edge) -> None:
        self._app = app
        self._edge = edge
        self._has_warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Redirect, or run the app."""
        if not self._edge.base.is_https:
            await self._app(scope, receive, send)
            return
        visit = visit_of(scope)
        if visit.client_scheme == "https" or visit.path in _PLAIN_PATHS:
            await self._app(scope, receive, send)
            return
        self._explain(visit)
        target = (scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0]
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        location = self._edge.base.link(quote(target, safe=_QUOTE_SAFE))
        headers = [(b"location", location.encode()), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 308, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def _explain(self, visit: Visit) -> None:
        # The usual mistake would be an endless redirect without a word.
        if self._has_warned or self._edge.settings.trusted_proxies:
            return
        if visit.headers.get(b"x-forwarded-proto", b"").lower() == b"https":
            self._has_warned = True
            _log.warning(
                "a proxy says that the client came by https, but trusted_proxies is 0: the answer is a redirect to "
                "https; set trusted_proxies to the number of your proxies"
            )
