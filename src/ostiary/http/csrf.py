"""Owns the defence against cross-site requests (E3): Origin, Sec-Fetch-Site and a signed double-submit token.

It looks at every method but GET, HEAD and OPTIONS, before anything of the route runs. There is no exemption for calls
that also carry another credential: a cookie that could authenticate implies the check. Method overrides
(X-HTTP-Method-Override, `_method`) are honoured nowhere, so the method judged here is the method that runs.
"""

from collections.abc import Container
from datetime import timedelta
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from ostiary.core.keys.ring import Keyring, purpose
from ostiary.http.visit import Visit, is_dead, visit_of
from ostiary.kernel.errors import Refused, code
from ostiary.kernel.secret import Secret

CSRF: Final = purpose(
    "csrf",
    "Signs the CSRF token of a session.",
    kept_for=timedelta(days=400),  # no session lives longer
)
CSRF_FAILED: Final = code(
    "csrf_failed",
    403,
    "The request was refused because it may come from another site.",
    "Send the value of the CSRF cookie as `X-CSRF-Token` (or form field `csrf_token`), from an allowed origin.",
)
FIELD: Final = "csrf_token"

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITE: Final = frozenset({b"same-origin", b"none"})
_HIDDEN: Final = b"null"
_LONGEST: Final = 200


def csrf_token(ring: Keyring, session_id: str) -> str:
    """The CSRF token of a session; the same for as long as the key is current."""
    return ring.mac(CSRF, "session", session_id)


def is_csrf_token(ring: Keyring, session_id: str, presented: str, cookie: str | None) -> bool:
    """Whether a token was made for this session and equals the CSRF cookie."""
    if cookie is None or not 0 < len(presented) <= _LONGEST or not presented.isascii():
        return False
    return Secret(cookie).matches(presented) and ring.check_mac(CSRF, presented, "session", session_id)


def cross_site_reason(
    origin: bytes | None, fetch_site: bytes | None, allowed: Container[bytes]
) -> str | None:
    """Why a request counts as cross-site, or None.

    Args:
        origin: The Origin header, which browsers send with every unsafe method.
        fetch_site: The Sec-Fetch-Site header, which no script can set; asked when Origin says nothing.
        allowed: Exact origins.
    """
    if origin == _HIDDEN and fetch_site == b"same-origin":
        # Our pages' own forms: `Referrer-Policy: no-referrer` hides the origin from ourselves, too (Fetch section 3.2).
        # A sandboxed frame, which has no origin either, is "cross-site".
        return None
    if origin is not None:
        return None if origin in allowed else "foreign Origin"
    if fetch_site is not None and fetch_site not in _OWN_SITE:
        return "foreign Sec-Fetch-Site"
    return None


def presented_token(visit: Visit) -> str:
    """The CSRF token that a request sends along: its header, or the one field of its form."""
    header = visit.headers.get(b"x-csrf-token")
    if header is not None:
        return header.decode("latin-1")
    fields = [value for name, value in visit.form if name == FIELD]
    return fields[0] if len(fields) == 1 else ""


async def check_csrf(visit: Visit) -> None:
    """Judge an unsafe request.

    Raises:
        Refused: `csrf_failed`.
        Unavailable: whether the session is live cannot be told.
    """
    edge = visit.edge
    headers = visit.headers
    reason = cross_site_reason(headers.get(b"origin"), headers.get(b"sec-fetch-site"), edge.origins)
    if reason is not None:
        raise Refused(CSRF_FAILED, reason, counted=False)
    cookies = visit.cookies
    if cookies.session is not None:
        session_id = cookies.session.partition(".")[0]
    elif cookies.access is not None:
        session_id = edge.core.tokens.session_named(cookies.access)
    else:
        return
    if is_csrf_token(edge.core.ring, session_id, presented_token(visit), cookies.csrf):
        return
    try:
        await visit.browser_session()
    except Refused as refused:
        # A dead cookie authenticates nobody; refusing would lock its owner out of the very page that replaces it.
        # Beside an access token that has expired there may be a good refresh token, which asks for its own proof.
        if is_dead(refused):
            visit.forget_cookies()
        else:
            visit.forget_access()
        return
    raise Refused(CSRF_FAILED, "token missing or wrong", counted=False)


class Csrf:
    """Middleware: judges every unsafe request.

    Args:
        app: What runs inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge, then run the app."""
        if scope["method"] not in SAFE_METHODS:
            await check_csrf(visit_of(scope))
        await self._app(scope, receive, send)
