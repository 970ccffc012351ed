"""Owns the question whether whoever was refused looks at a page, and is led to the sign-in page and back."""

import re
from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from ostiary.http.pages import sign_in_first
from ostiary.http.problems import Problem
from ostiary.http.visit import Visit
from ostiary.integrations.paths import Prefixes

_HTML: Final = frozenset({"text/html", "application/xhtml+xml"})
_JSON: Final = frozenset({"application/json", "application/problem+json"})
_WEIGHT: Final = re.compile(r"\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*", re.ASCII | re.IGNORECASE)


class Pages:
    """Which requests want a page.

    Args:
        wanted: True for every navigation of a browser: GET or HEAD, `Accept` prefers HTML, and neither a script nor a
            program asks. A list of paths for those below them alone, by whole segments. False for none.

    Raises:
        Misuse: one of the paths is none.
    """

    def __init__(self, wanted: bool | Sequence[str] = True) -> None:
        self._is_on = bool(wanted)
        self._below = None if isinstance(wanted, bool) else Prefixes(wanted)

    def wants(self, visit: Visit) -> bool:
        """Whether this request does."""
        scope = visit.scope
        if not self._is_on or scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            return False
        if self._below is not None and not self._below.hold(visit.path, scope.get("raw_path")):
            return False
        headers = visit.headers
        # `fetch` and its like tell their mode, older scripts their kind; who sends a token or a key is a program.
        if headers.get(b"sec-fetch-mode", b"navigate") != b"navigate" or b"x-requested-with" in headers:
            return False
        if b"authorization" in headers or b"x-api-key" in headers:
            return False
        return prefers_html(headers.get(b"accept", b"").decode("latin-1"))


def prefers_html(accept: str) -> bool:
    """Whether an Accept header names HTML, and not JSON before it (RFC 9110 section 12.5.1).

    ``*/*`` alone, which programs send, names nothing.
    """
    html = json = 0.0
    for item in accept.split(","):
        kind, *parameters = item.lower().split(";")
        weight = 1.0
        for one in parameters:
            if found := _WEIGHT.fullmatch(one):
                weight = float(found[1])
        if kind.strip() in _HTML:
            html = max(html, weight)
        elif kind.strip() in _JSON:
            json = max(json, weight)
    return html > 0 and html >= json


def page_or_problem(visit: Visit, problem: Problem) -> Response:
    """The way to the sign-in page and back for a 401; everything else is a problem document."""
    # Below a prefix that pages do not know, there is no sign-in page to go to.
    is_at_root = visit.scope["path"] == visit.path
    return (sign_in_first(visit, problem) if is_at_root else None) or problem.response()
