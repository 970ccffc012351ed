"""Owns the one place where exceptions become HTTP: problem details (RFC 9457) for our own routes.

Nothing of an unexpected exception leaves the process but the request's id; what happened stands in the log.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ostiary.core.accounts.accounts import EMAIL_NOT_VERIFIED, INVALID_CREDENTIALS
from ostiary.core.mail.settings import MailSettings
from ostiary.core.throttle.limits import ACCOUNT_LOCKED
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    NOT_FOUND,
    TOO_MANY_ATTEMPTS,
    UNAVAILABLE,
    Code,
    Misuse,
    Refused,
    Unavailable,
    code,
)
from ostiary.kernel.origin import Quota

METHOD_NOT_ALLOWED: Final = code(
    "method_not_allowed", 405, "Method not allowed.", "The path exists, but not for this method; see `Allow`."
)
BODY_TOO_LARGE: Final = code(
    "body_too_large", 413, "The request body is too large.", "The body exceeds `body_limit` bytes."
)
UNSUPPORTED_MEDIA_TYPE: Final = code(
    "unsupported_media_type",
    415,
    "The request's media type is not supported.",
    "JSON routes take `application/json`, form routes `application/x-www-form-urlencoded`; neither compressed.",
)
MALFORMED_JSON: Final = code(
    "malformed_json",
    400,
    "The body is not well-formed JSON.",
    "Syntax, encoding, a repeated member, a number beyond 64 bits, or nesting deeper than 32.",
)
MALFORMED_REQUEST: Final = code(
    "malformed_request",
    400,
    "The request is malformed.",
    "The path, the query, the form or a header holds bytes that are not allowed there.",
)
REQUEST_TIMEOUT: Final = code(
    "request_timeout",
    408,
    "The request body did not arrive in time.",
    "Send the whole body within 30 seconds.",
)

_QUOTA_EXCEEDED: Final = "https://iana.org/assignments/http-problem-types#quota-exceeded"
_BY_STATUS: Final = {
    404: NOT_FOUND, 405: METHOD_NOT_ALLOWED, 408: REQUEST_TIMEOUT, 413: BODY_TOO_LARGE,
    415: UNSUPPORTED_MEDIA_TYPE, 422: INVALID_REQUEST, 503: UNAVAILABLE,
}  # fmt: skip
# A credential of the right kind was presented and is no good any more (RFC 6750 section 3.1).
_SPENT: Final = ("_ended", "_expired", "_invalid", "_revoked", "_reused", "_stale")
# Whoever meets these may need somebody to talk to.
_STRANDING: Final = frozenset({INVALID_CREDENTIALS, EMAIL_NOT_VERIFIED, TOO_MANY_ATTEMPTS, ACCOUNT_LOCKED})
_SECOND: Final = timedelta(seconds=1)
_MOST_ERRORS: Final = 20
_LONGEST_NAME: Final = 64
_log: Final = logging.getLogger("ostiary.http")

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document on its way out.

    Attributes:
        code: The public code.
        body: Its members.
        headers: Those that belong to it: WWW-Authenticate, Retry-After, Allow.
    """

    code: Code
    body: Mapping[str, Any]
    headers: Headers

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.code.status

    def response(self) -> Response:
        """The answer as `application/problem+json`."""
        answer = Response(orjson.dumps(self.body), self.code.status, media_type="application/problem+json")
        answer.raw_headers.extend(self.headers)
        return answer


def invalid(errors: Iterable[Mapping[str, Any]], reason: str = "") -> Refused:
    """A refusal with 422 that lists fields, each with `loc`, `message` and `type`."""
    return Refused(INVALID_REQUEST, reason, details={"errors": list(errors)}, counted=False)


def seconds_up(duration: timedelta) -> int:
    """Whole seconds, rounded up: who waits that long does not come too early."""
    return max(1, -(-duration // _SECOND))


@lru_cache(maxsize=256)
def challenge(public: Code, max_age: int | None = None, acr_values: str | None = None) -> bytes:
    """The WWW-Authenticate value of a 401 (RFC 9110 section 11.6.1, RFC 6750 section 3)."""
    words = 'Bearer realm="ostiary"'
    if public.name.endswith(_SPENT):
        title = "".join(c for c in public.title if " " <= c <= "~" and c not in '"\\')
        words += f', error="invalid_token", error_description="{title}"'
    asked = {"acr_values": acr_values, "max_age": max_age}
    if given := [f'{name}="{value}"' for name, value in asked.items() if value is not None]:
        words += ", ".join(["", 'error="insufficient_user_authentication"', *given])  # RFC 9470 section 3
    return words.encode()


def _sf_string(words: str) -> str:
    # RFC 9651 section 3.3.3: printable ASCII, backslash and quote escaped.
    kept = "".join(c for c in words if " " <= c <= "~")
    return '"' + kept.replace("\\", "\\\\").replace('"', '\\"') + '"'


def limit_headers(quotas: Iterable[Quota]) -> Headers:
    """`RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers): one item for each limit met."""
    policies: list[str] = []
    states: list[str] = []
    for quota in quotas:
        name = _sf_string(quota.policy)
        policies.append(f"{name};q={quota.limit};w={seconds_up(quota.window)}")
        states.append(f"{name};r={max(0, quota.remaining)};t={-(-quota.reset // _SECOND)}")
    if not policies:
        return []
    return [(b"ratelimit-policy", ", ".join(policies).encode()), (b"ratelimit", ", ".join(states).encode())]


def _refused(error: Refused, visit: Visit) -> Problem:
    body: dict[str, Any] = dict(error.details)
    headers: Headers = []
    kind = f"urn:ostiary:error:{error.code.name}"
    if error.retry_after is not None:
        seconds = seconds_up(error.retry_after)
        body["retry_after"] = seconds
        headers.append((b"retry-after", str(seconds).encode()))
    if error.code is TOO_MANY_ATTEMPTS and visit.known_origin is not None:
        # Only limits by network and the host's own are in there: the names say nothing about anybody else's account.
        violated = [quota.policy for quota in visit.known_origin.quotas if quota.remaining <= 0]
        if violated:
            kind = _QUOTA_EXCEEDED
            body["violated-policies"] = violated
    contact = visit.edge.core.settings.of(MailSettings).support_contact
    if contact is not None and error.code in _STRANDING:
        body["support_contact"] = contact
    if error.code.status == 401:
        headers.append(
            (
                b"www-authenticate",
                challenge(error.code, error.details.get("max_age"), error.details.get("acr_values")),
            )
        )
    return _problem(error.code, visit, body, headers, kind)


def _problem(public: Code, visit: Visit, body: dict[str, Any], headers: Headers, kind: str = "") -> Problem:
    # The fixed members come last: no detail may pass for them.
    body |= {
        "type": kind or f"urn:ostiary:error:{public.name}",
        "title": public.title,
        "status": public.status,
        "code": public.name,
        "instance": f"urn:ostiary:request:{visit.request_id}",
    }
    return Problem(public, body, headers)


def _http(error: HTTPException, visit: Visit) -> Problem:
    public = _BY_STATUS.get(error.status_code)
    if public is None:
        public = INTERNAL_ERROR if error.status_code >= 500 else MALFORMED_REQUEST
    allow = (error.headers or {}).get("Allow")
    return _problem(public, visit, {}, [(b"allow", allow.encode())] if allow and public.status == 405 else [])


def _safe_name(part: object) -> object:
    # The name of an unknown field is the caller's own word: bounded, and kept to one line.
    if isinstance(part, int):
        return part
    return "".join(c for c in str(part)[:_LONGEST_NAME] if c.isprintable())


def _message(error: Mapping[str, Any]) -> str:
    given = error.get("input")
    message = str(error.get("msg", ""))
    # Messages of custom validators (and those about e-mail addresses) may quote what was typed; such as a password.
    is_quoted = isinstance(given, str) and given != "" and given in message
    if is_quoted or error.get("type") in {"value_error", "assertion_error"}:
        return "The value is not valid."
    return message


def _validation(error: RequestValidationError, visit: Visit) -> Problem:
    errors = [
        {"loc": [_safe_name(part) for part in one["loc"]], "message": _message(one), "type": one["type"]}
        for one in error.errors()[:_MOST_ERRORS]
    ]
    return _problem(INVALID_REQUEST, visit, {"errors": errors}, [])


def problem_from(error: Exception, visit: Visit) -> Problem:
    """The problem that an exception becomes; whatever is not meant for the caller goes to the log."""
    match error:
        case Refused():
            return _refused(error, visit)
        case Unavailable():
            _log.warning("request %s: unavailable: %s", visit.request_id, error)
            seconds = seconds_up(error.retry_after)
            return _problem(
                UNAVAILABLE, visit, {"retry_after": seconds}, [(b"retry-after", str(seconds).encode())]
            )
        case RequestValidationError():
            return _validation(error, visit)
        case HTTPException():
            return _http(error, visit)
        case _:
            _log.error("request %s failed", visit.request_id, exc_info=error)
            return _problem(INTERNAL_ERROR, visit, {}, [])


def answer_to(error: Exception, visit: Visit) -> Response:
    """The response to an exception: in the route's own form if it has one (a page, an OAuth error), or as a problem."""
    problem = problem_from(error, visit)
    if visit.on_problem is None:
        return problem.response()
    try:
        return visit.on_problem(visit, problem)
    except Exception:  # noqa: BLE001 - a page that cannot be drawn must not hide the answer
        _log.exception("request %s: the route's own form of the error failed", visit.request_id)
        return problem.response()


async def handle(request: Request, error: Exception) -> Response:
    """The exception handler of our own FastAPI app; a host's handlers are never touched."""
    return answer_to(error, visit_of(request.scope))


# What the FastAPI app hands to `handle`. `Exception` covers the rest there: Starlette answers and raises again.
HANDLERS: Final[dict[int | type[Exception], Any]] = dict.fromkeys(
    (Refused, Unavailable, Misuse, RequestValidationError, HTTPException, Exception), handle
)


class Problems:
    """Middleware: every exception that gets this far is answered here.

    Args:
        app: What runs inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app; answer what it raises."""
        try:
            await self._app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - the one place that must miss nothing
            visit = visit_of(scope)
            if visit.has_started:
                # Either `handle` answered and logged it already, or the stream broke: nothing can be said any more.
                _log.debug("request %s: raised after the answer had begun", visit.request_id, exc_info=error)
                return
            await answer_to(error, visit)(scope, receive, send)
