"""Owns the security headers of a host's own responses: what is missing is added, what the host says stays."""

from collections.abc import Iterable, Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ostiary.integrations.beside import is_by_https
from ostiary.kernel.errors import Misuse
from ostiary.kernel.world import World

CSP: Final = (
    "default-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
NONCE: Final = "csp_nonce"

_DEFAULTS: Final[Mapping[str, str]] = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "strict-origin-when-cross-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_HSTS: Final = "max-age=31536000"
_NONCE_STRENGTH: Final = 16

Pair = tuple[bytes, bytes]


class Hardening:
    """Which headers responses shall have.

    Args:
        csp: The Content-Security-Policy; ``{nonce}`` in it becomes a new nonce for each response. "" for none.
        hsts: Strict-Transport-Security for responses by https (RFC 6797); "" for none.
        headers: More of them, or others than usual; None leaves one out.

    Raises:
        Misuse: a name or a value holds what no header may.
    """

    def __init__(
        self, *, csp: str = CSP, hsts: str = _HSTS, headers: Mapping[str, str | None] | None = None
    ) -> None:
        wanted: dict[str, str | None] = {**_DEFAULTS, "content-security-policy": csp or None}
        wanted |= {name.lower(): value for name, value in (headers or {}).items()}
        for name, value in (*wanted.items(), ("strict-transport-security", hsts)):
            if (
                not name
                or not name.isascii()
                or not (value or "").isascii()
                or not (value or "-").isprintable()
            ):
                raise Misuse(f"SecurityHeaders: {name!r} is no header, or its value is none")
        self.has_nonce: Final = "{nonce}" in (csp or "")
        self._wanted = tuple((name.encode(), value) for name, value in wanted.items() if value)
        self._world = World()
        self._hsts = (b"strict-transport-security", hsts.encode()) if hsts else None

    def new_nonce(self) -> str:
        """A nonce for one response."""
        return self._world.token(_NONCE_STRENGTH).reveal()

    def missing(self, given: Iterable[Pair], *, is_https: bool, nonce: str = "") -> list[Pair]:
        """What to add to a response.

        Args:
            given: The headers that it has.
            is_https: Whether the client came by https.
            nonce: For the policy.
        """
        has = {name.lower() for name, _ in given}
        out = [
            (name, value.replace("{nonce}", nonce).encode())
            for name, value in self._wanted
            if name not in has
        ]
        if is_https and self._hsts is not None and self._hsts[0] not in has:
            out.append(self._hsts)
        return out


class SecurityHeaders:
    """Middleware: adds the security headers that a response lacks; what the host or ostiary has set is never changed.

    Args:
        app: What runs inside.
        csp: As `Hardening`; the nonce is `request.state.csp_nonce`.
        hsts: As `Hardening`.
        headers: As `Hardening`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        csp: str = CSP,
        hsts: str = _HSTS,
        headers: Mapping[str, str | None] | None = None,
    ) -> None:
        self._app = app
        self._hardening = Hardening(csp=csp, hsts=hsts, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app with a `send` that adds what is missing."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        nonce = ""
        if self._hardening.has_nonce:
            nonce = self._hardening.new_nonce()
            scope.setdefault("state", {})[NONCE] = nonce

        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                is_https = scope.get("scheme") == "https" or is_by_https(scope)
                message = {
                    **message,
                    "headers": given + self._hardening.missing(given, is_https=is_https, nonce=nonce),
                }
            await send(message)

        await self._app(scope, receive, hardened)
