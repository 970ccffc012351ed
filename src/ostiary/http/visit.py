"""Owns `Visit`: what is known about one request while it runs, computed when first asked for.

It travels in the scope, so every middleware, route and dependency of the same request sees the same one.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Scope

from ostiary.core.api_keys.keys import ResolvedKey
from ostiary.core.sessions.sessions import SESSION_REQUIRED, Admit, Resolved
from ostiary.http.address import client_ip, forwarded_scheme
from ostiary.http.cookies import NOTHING, Presented
from ostiary.http.edge import Edge
from ostiary.kernel.errors import Refused
from ostiary.kernel.origin import Origin, clean_languages, clean_user_agent
from ostiary.protocols import api_key
from ostiary.protocols.jose.refusals import TokenRefused, Why

KEY: Final = "ostiary.visit"
AT_ONCE: Final = "ostiary.at_once"  # in the scope: somebody's thread is held until the answer comes
_SIMPLE_ID: Final = re.compile(rb"[A-Za-z0-9-]{1,64}")
_ID_BYTES: Final = 12
_NONCE_STRENGTH: Final = 16


# A route's own form of an error: (visit, problem) → response.
OnProblem = Callable[["Visit", Any], Response]


class Visit:
    """One request.

    Args:
        edge: The engine it came to.
        scope: The ASGI scope.
        path: Where it leads, below the mount point.
    """

    __slots__ = (
        "_by_cookie", "_by_key", "_cookies", "_nonce", "_origin", "_resolved", "edge", "form", "form_targets",
        "has_started", "headers", "is_stale", "json", "on_problem", "path", "request_id", "scope", "shows_mail",
        "takes_form",
    )  # fmt: skip

    def __init__(self, edge: Edge, scope: Scope, path: str = "") -> None:
        self.edge = edge
        self.scope = scope
        self.path = path
        raw = scope["headers"]
        self.headers: dict[bytes, bytes] = dict(raw)
        if len(self.headers) != len(raw):
            self.headers = _joined(raw)
        self.request_id = self._request_id()
        # Set from the route that was found, before any check runs.
        self.takes_form = False
        self.on_problem: OnProblem | None = None
        # Set by the body middleware.
        self.form: tuple[tuple[str, str], ...] = ()
        self.json: dict[str, Any] | None = None
        # For the response.
        self.form_targets: list[str] = []
        self.is_stale = False
        self.shows_mail = False
        self.has_started = False
        self._nonce: str | None = None
        self._origin: Origin | None = None
        self._cookies: Presented | None = None
        self._resolved: Resolved | None = None
        self._by_cookie: Resolved | None = None
        self._by_key: ResolvedKey | Refused | None = None

    def _request_id(self) -> str:
        # Somebody else's id is taken only from the operator's own proxy: anyone else could write into our logs.
        if self.edge.settings.trusted_proxies:
            given = self.headers.get(b"x-request-id")
            if given is not None and _SIMPLE_ID.fullmatch(given):
                return given.decode()
        return self.edge.core.world.bytes(_ID_BYTES).hex()

    @property
    def origin(self) -> Origin:
        """Where the request came from, for flows."""
        if self._origin is None:
            self._origin = origin_of(self.scope, self.edge.settings.trusted_proxies, self.request_id)
        return self._origin

    @property
    def may_wait(self) -> bool:
        """Whether the answer may wait for news: where every request holds a thread, it may not."""
        return AT_ONCE not in self.scope

    @property
    def known_origin(self) -> Origin | None:
        """The origin if some flow asked for it; the rate limits that it met stand in there."""
        return self._origin

    @property
    def client_scheme(self) -> str:
        """The scheme by which the client came."""
        proto = self.headers.get(b"x-forwarded-proto")
        scheme: str = self.scope.get("scheme", "http")
        return forwarded_scheme(scheme, proto, self.edge.settings.trusted_proxies)

    @property
    def cookies(self) -> Presented:
        """Our cookies. Unusable ones count as absent and are cleared in the response."""
        if self._cookies is None:
            self._cookies = self.edge.cookies.read(self.headers.get(b"cookie"))
            if self._cookies.is_unusable:
                self.is_stale = True
        return self._cookies

    @property
    def nonce(self) -> str:
        """The nonce for this page's inline scripts and styles; asking for it makes the response a page."""
        if self._nonce is None:
            self._nonce = self.edge.core.world.token(_NONCE_STRENGTH).reveal()
        return self._nonce

    @property
    def known_nonce(self) -> str | None:
        """The nonce if a page asked for one."""
        return self._nonce

    @property
    def bearer(self) -> str | None:
        """The access token in the Authorization header (RFC 6750 section 2.1), or None. Never one from a query."""
        token = self._authorization
        return None if token is None or self._is_key(token) else token

    @property
    def api_key(self) -> str | None:
        """The API key in `X-API-Key` or, as Bearer token, in Authorization; or None. Never one from a query.

        Whoever sends two that differ has sent none that is good: which of them counts must not be a matter of taste.
        """
        header, token = self.headers.get(b"x-api-key"), self._authorization
        if header is None or not self.edge.core.api_keys.is_on:
            return token if token is not None and self._is_key(token) else None
        key = header.strip(b" ").decode("latin-1")
        return key if token in (None, key) else ""

    @property
    def _authorization(self) -> str | None:
        scheme, space, token = self.headers.get(b"authorization", b"").partition(b" ")
        return token.strip(b" ").decode("latin-1") if space and scheme.lower() == b"bearer" else None

    def _is_key(self, token: str) -> bool:
        return self.edge.core.api_keys.is_on and api_key.looks_like_one(token)

    @property
    def has_credential(self) -> bool:
        """Whether anything came along that could say who asks."""
        cookies = self.cookies
        by_cookie = cookies.session is not None or cookies.access is not None
        return by_cookie or self._authorization is not None or self.api_key is not None

    async def caller(self) -> Resolved | ResolvedKey:
        """Whoever asks: by a live session, or by an API key.

        Raises:
            Refused: as `session`, `api_key_invalid` or `api_key_expired`; `too_many_attempts` for a network that has
                sent too many wrong keys.
        """
        key = self.api_key
        return await self.session() if key is None else await self.by_key(key)

    async def by_key(self, key: str) -> ResolvedKey:
        """Whom the key of this request speaks for, resolved once.

        Raises:
            Refused: as `caller`.
        """
        if self._by_key is None:
            try:
                self._by_key = await self.edge.core.api_keys.resolve(self.origin, key)
            except Refused as refused:
                self._by_key = refused  # several guards ask, and a wrong key is counted once
        if isinstance(self._by_key, Refused):
            raise self._by_key
        return self._by_key

    async def session(self) -> Resolved:
        """The live session behind the access token or the cookie, resolved once per request.

        A bearer token or a key was sent on purpose, and a cookie by the browser's habit: it counts first.

        Raises:
            Refused: 401; a cookie that was presented and is dead is cleared in the response. 403 `session_required`
                for an API key, good or not; 403 `network_refused`.
        """
        if self.api_key is not None:
            raise Refused(SESSION_REQUIRED, "an API key was sent", counted=False)
        if self._resolved is None:
            bearer = self.bearer
            self._resolved = (
                await self.browser_session(admit=self.admit)
                if bearer is None
                else await self.edge.core.tokens.resolve(bearer, self.admit)
            )
        return self._resolved

    async def admit(self, account_id: str) -> None:
        """Turn an account away that may not be used from where this request came.

        Raises:
            Refused: `network_refused`.
        """
        core = self.edge.core
        if core.networks.is_on:
            async with core.runner.flow(self.origin) as flow:
                await core.networks.admit(flow.reads, self.origin, account_id)

    async def admit_stranger(self) -> None:
        """Turn the request away if nobody may make it from where it came.

        Raises:
            Refused: `network_refused`.
        """
        core = self.edge.core
        if core.networks.minds_everybody:
            async with core.runner.flow(self.origin):
                core.networks.admit_stranger(self.origin)

    async def browser_session(self, admit: Admit | None = None) -> Resolved:
        """The live session that this browser brings along in a cookie.

        Args:
            admit: Judges its account. Without it the session is not used, and good for nothing but to be ended.

        Raises:
            Refused: as `session`.
        """
        if self._by_cookie is not None:
            if admit is not None:
                await admit(self._by_cookie.account.id)
        else:
            cookies, core = self.cookies, self.edge.core
            try:
                if cookies.session is None and cookies.access is not None:
                    self._by_cookie = await core.tokens.resolve(cookies.access, admit)
                else:
                    is_use, token = admit is not None, cookies.session or ""
                    self._by_cookie = await core.sessions.resolve(token, admit, is_use=is_use)
            except Refused as refused:
                if cookies.session is not None or cookies.access is not None:
                    self.is_stale |= is_dead(refused)
                raise
        return self._by_cookie

    def forget_cookies(self) -> None:
        """Go on as if no cookie had been sent: what they hold is worth nothing."""
        self._cookies = NOTHING
        self._resolved = self._by_cookie = None

    def forget_access(self) -> None:
        """Go on as if nobody's session had been sent; a refresh cookie, which asks for its own proof, still counts."""
        self._cookies = replace(self.cookies, session=None, access=None)
        self._resolved = self._by_cookie = None

    def may_submit_to(self, origin: str) -> None:
        """Let this page's form end on another origin: Chromium applies form-action to redirects, too."""
        self.form_targets.append(origin)


def is_dead(refused: Refused) -> bool:
    """Whether a cookie that was refused like this will never be good again, so that the response clears it.

    An access token that has merely expired, also longer ago than its key is kept, is replaced by the refresh token
    beside it.
    """
    if isinstance(refused, TokenRefused) and refused.why in {Why.EXPIRED, Why.KEY_UNKNOWN}:
        return False
    return refused.code.status == 401


def visit_of(scope: Scope) -> Visit:
    """The visit of a request that came through the assembled app."""
    found: Visit = scope[KEY]
    return found


def origin_of(scope: Scope, trusted: int, request_id: str) -> Origin:
    """Where a request came from, as far as it is known and trusted."""
    client = scope.get("client")
    forwarded: list[bytes] = []
    agent = b""
    languages: list[bytes] = []
    for name, value in scope["headers"]:
        if name == b"x-forwarded-for":
            forwarded.append(value)
        elif name == b"user-agent":
            agent = value
        elif name == b"accept-language":
            languages.append(value)
    peer = client[0] if client else None
    return Origin(
        client_ip(peer, forwarded, trusted),
        clean_user_agent(agent.decode("latin-1")),
        request_id,
        clean_languages(b",".join(languages).decode("latin-1")),
    )


def _joined(raw: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    # A repeated header means its values in a list (RFC 9110 section 5.3); so a second Origin, Content-Type or
    # X-CSRF-Token makes the first one worthless instead of one of them winning.
    found: dict[bytes, bytes] = {}
    for name, value in raw:
        if name in found:
            found[name] += (b"; " if name == b"cookie" else b", ") + value
        else:
            found[name] = value
    return found
