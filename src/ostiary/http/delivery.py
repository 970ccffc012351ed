"""Owns how tokens reach their holder: in the body for programs, in two cookies for browsers; and who may ask for it."""

from typing import Any, Final

from ostiary.core.tokens.access import Access
from ostiary.core.tokens.settings import COOKIE, COOKIE_PAIR, TOKENS, Delivery
from ostiary.core.tokens.tokens import Pair
from ostiary.http.cookies import Header
from ostiary.http.csrf import CSRF_FAILED, csrf_token, is_csrf_token, presented_token
from ostiary.http.visit import Visit
from ostiary.kernel.errors import Refused, code
from ostiary.kernel.secret import Secret

DELIVERY_REFUSED: Final = code(
    "delivery_not_allowed",
    403,
    "The session cannot be delivered like this.",
    "Scripts get tokens only from origins in `token_origins`; cookies with tokens need the setting `token_cookies`.",
)
_BEARER: Final = "Bearer"


def judge_delivery(visit: Visit, wanted: Delivery) -> None:
    """Whether a session may be handed out in this way to whoever asks.

    Raises:
        Refused: `delivery_not_allowed`.
    """
    if wanted == COOKIE_PAIR and not visit.edge.settings.token_cookies:
        raise Refused(DELIVERY_REFUSED, "token_cookies is off", counted=False)
    if wanted == TOKENS:
        refuse_scripts(visit)


def held(visit: Visit) -> Delivery:
    """How whoever asks holds the session of this request."""
    if visit.bearer is not None:
        return TOKENS
    return COOKIE if visit.cookies.session is not None else COOKIE_PAIR


def refuse_scripts(visit: Visit) -> None:
    """Let tokens go to programs, and to scripts of those origins alone that the operator has named.

    A browser says where a script came from, and scripts cannot keep it from doing so (Fetch section 3.2).

    Raises:
        Refused: `delivery_not_allowed`.
    """
    origin = visit.headers.get(b"origin")
    is_browser = origin is not None or b"sec-fetch-site" in visit.headers
    if is_browser and origin not in visit.edge.token_origins:
        raise Refused(DELIVERY_REFUSED, "a script of an origin that is not in token_origins", counted=False)


def refuse_foreign_scripts(visit: Visit) -> None:
    """Let an access token for a session cookie go to our own pages, and to front ends that may hold tokens.

    Raises:
        Refused: `delivery_not_allowed`.
    """
    origin = visit.headers.get(b"origin")
    if origin in visit.edge.front_ends and origin not in visit.edge.token_origins:
        raise Refused(DELIVERY_REFUSED, "a front end that is not in token_origins", counted=False)


def access_body(access: Access) -> dict[str, Any]:
    """An access token as JSON (RFC 6749 section 5.1)."""
    return {
        "access_token": access.token.reveal(),
        "token_type": _BEARER,
        "expires_in": access.expires_in,
    }


def pair_body(pair: Pair) -> dict[str, Any]:
    """A pair as JSON (RFC 6749 section 5.1)."""
    return access_body(pair.access) | {"refresh_token": pair.refresh.reveal()}


def pair_cookies(visit: Visit, pair: Pair) -> list[Header]:
    """A pair as cookies, with the CSRF token that belongs to them."""
    cookies = visit.edge.cookies
    refresh = Secret(f"{pair.session_id}.{pair.refresh.reveal()}")
    csrf = csrf_token(visit.edge.core.ring, pair.session_id)
    return [
        *cookies.set_tokens(pair.access.token, refresh, pair.keep_for),
        cookies.set_csrf(csrf, pair.keep_for),
    ]


def refresh_cookie(visit: Visit) -> tuple[str, Secret] | None:
    """The session id and the refresh token that a browser's cookie holds; None when there is no such cookie.

    This cookie authenticates, so it needs the CSRF token of its session like every other one (E3).

    Raises:
        Refused: `csrf_failed`.
    """
    value = visit.cookies.refresh
    if value is None:
        return None
    session_id, _, token = value.partition(".")
    if not is_csrf_token(visit.edge.core.ring, session_id, presented_token(visit), visit.cookies.csrf):
        raise Refused(CSRF_FAILED, "token missing or wrong", counted=False)
    return session_id, Secret(token)
