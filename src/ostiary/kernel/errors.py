"""Owns the three families of errors and the book of public error codes.

`Refused` is expected and shown to the caller; `Misuse` is the developer's or operator's mistake and says how to mend
it; `Unavailable` means that something ostiary depends on failed. One place (`http/problems.py`) makes HTTP of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ostiary.kernel.events import Event


class Misuse(Exception):
    """A mistake of whoever wrote or configured the program, raised at start where possible.

    The message says what is wrong and how to mend it; it never carries a secret.
    """


@dataclass(frozen=True, slots=True)
class Code:
    """One public error code: stable, documented, the same for every door."""

    name: str
    status: int
    title: str
    doc: str


CODES: dict[str, Code] = {}


def code(name: str, status: int, title: str, doc: str) -> Code:
    """Enter a code into the book from which the reference page is generated.

    Args:
        name: Stable and snake_case; callers branch on it.
        status: The HTTP status it is answered with.
        title: One short sentence for people, the same on every occurrence (RFC 9457 section 3.1.3).
        doc: What causes it and what the caller can do.
    """
    made = Code(name, status, title, doc)
    if CODES.setdefault(name, made) != made:
        raise Misuse(f"error code {name!r} is declared twice with different meanings")
    return made


class Refused(Exception):
    """An expected refusal.

    Args:
        code: What the caller is told.
        reason: Why, in words for the journal only; never shown to the caller.
        retry_after: When trying again makes sense.
        details: Public members added to the problem document.
        events: What the flow runner writes to the journal after everything else was rolled back.
        counted: Whether the reservation in the throttle stays counted as a failure.
    """

    def __init__(
        self,
        code: Code,
        reason: str = "",
        *,
        retry_after: timedelta | None = None,
        details: Mapping[str, Any] | None = None,
        events: tuple[Event, ...] = (),
        counted: bool = True,
    ) -> None:
        super().__init__(f"{code.name}: {reason}" if reason else code.name)
        self.code = code
        self.reason = reason
        self.retry_after = retry_after
        self.details = dict(details or {})
        self.events = events
        self.counted = counted


class Unavailable(Exception):
    """A dependency (database, hashing pool, mail server) failed or is too busy.

    Args:
        what: For the log: which part failed, and how.
        retry_after: When trying again makes sense.
    """

    def __init__(self, what: str, retry_after: timedelta = timedelta(seconds=5)) -> None:
        super().__init__(what)
        self.retry_after = retry_after


INVALID_REQUEST = code(
    "invalid_request",
    422,
    "The request is not valid.",
    "A field is missing, unknown, of the wrong type or out of bounds; `errors` lists each with its place.",
)
NOT_FOUND = code("not_found", 404, "Not found.", "Nothing is here, or it is not yours.")
UNAVAILABLE = code(
    "unavailable",
    503,
    "The service is temporarily unavailable.",
    "The database, the hashing pool or another part is down or too busy. Try again after `Retry-After`.",
)
INTERNAL_ERROR = code(
    "internal_error",
    500,
    "Something went wrong.",
    "A defect or an unexpected state. The `instance` member names the request in the server's log.",
)
TOO_MANY_ATTEMPTS = code(
    "too_many_attempts",
    429,
    "Too many attempts. Try again later.",
    "A rate limit or lockout is in force. `retry_after` and `Retry-After` say for how many seconds.",
)
SESSION_ENDED = code(
    "session_ended",
    401,
    "The session has ended. Sign in again.",
    "It was ended, was idle for too long, or reached its absolute lifetime.",
)
FRESH_REQUIRED = code(
    "fresh_authentication_required",
    401,
    "Sign in again to go on.",
    "The last proof is older than this action allows, or shows less than the account can; `max_age` says in seconds "
    "how old it may be, `acr_values` what it must show (RFC 9470).",
)
