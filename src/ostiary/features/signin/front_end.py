"""Owns the way back to a front end of the operator's: from the sign-in page with a one-time code, never with a token.

``/login?next=<registered destination>&code_challenge=<S256>`` comes back to ``<destination>?code=…`` once somebody is
signed in. Until then that address itself is where the sign-in leads, so every way in ends here.
"""

from typing import Final
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from ostiary.core.sessions.sessions import Resolved
from ostiary.core.tokens.codes import is_challenge
from ostiary.http.pages import LOGIN, query_of, see
from ostiary.http.problems import invalid
from ostiary.http.visit import Visit
from ostiary.kernel.errors import Refused

CHALLENGE: Final = "code_challenge"


def asked(visit: Visit, request: Request) -> tuple[str, str] | None:
    """Destination and challenge of a front end that asks for a code; None when nobody asks.

    Raises:
        Refused: `invalid_request`; the destination or the challenge is not one that may be.
    """
    challenge = query_of(request, CHALLENGE)
    if not challenge:
        return None
    destination = query_of(request, "next")
    if destination not in visit.edge.settings.after_sign_in or not _may_hold_tokens(visit, destination):
        raise _refused("next", "The destination is not registered for tokens.")
    if not is_challenge(challenge):
        raise _refused(CHALLENGE, "The challenge is not base64url of a SHA-256 (S256).")
    return destination, challenge


def way_back(destination: str, challenge: str) -> str:
    """Where a sign-in leads that a front end asked for."""
    return f"{LOGIN}?{urlencode({'next': destination, CHALLENGE: challenge})}"


async def send_back(visit: Visit, current: Resolved, destination: str, challenge: str) -> Response:
    """To the front end, with a code for the session of whoever is signed in."""
    code = await visit.edge.core.codes.issue(visit.origin, current.principal, destination, challenge)
    return see(f"{destination}{'&' if '?' in destination else '?'}code={code.reveal()}")


def _may_hold_tokens(visit: Visit, destination: str) -> bool:
    parts = urlsplit(destination)
    return f"{parts.scheme}://{parts.netloc}".encode() in visit.edge.token_origins


def _refused(where: str, words: str) -> Refused:
    return invalid([{"loc": ["query", where], "message": words, "type": "value_error"}])
