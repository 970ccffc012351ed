"""Owns what tokens plug into the engine."""

from ostiary.features.tokens.api import (
    AccessView,
    PairView,
    RefreshBody,
    Renewed,
    TokenBody,
    refresh,
    token,
)
from ostiary.features.tokens.feed import FEED_DOC, revocations
from ostiary.http.access import PUBLIC
from ostiary.http.rib import Rib
from ostiary.http.routing import Hot

_TOKEN_DOC = {
    "tags": ["tokens"],
    "summary": "An access token",
    "description": "For the session cookie: an access token. For a front end's one-time code: a pair.",
}
_REFRESH_DOC = {
    "tags": ["tokens"],
    "summary": "The next pair",
    "description": "For a refresh token in the body: the next pair. For one in a cookie: the next cookies.",
}

RIB = Rib(
    name="tokens",
    hot_routes=(
        Hot(
            "/auth/token", ("POST",), token, PUBLIC, _TOKEN_DOC, takes=TokenBody, gives=AccessView | PairView
        ),
        Hot(
            "/auth/refresh",
            ("POST",),
            refresh,
            PUBLIC,
            _REFRESH_DOC,
            takes=RefreshBody,
            gives=PairView | Renewed,
        ),
        Hot("/auth/revocations", ("GET",), revocations, PUBLIC, FEED_DOC),
    ),
)
