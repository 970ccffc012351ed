"""Owns the routes of tokens; both are hot."""

from typing import Annotated, Final, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from ostiary.core.sessions.sessions import NOT_AUTHENTICATED
from ostiary.core.tokens.codes import LONGEST_VERIFIER
from ostiary.core.tokens.settings import COOKIE_PAIR, TOKENS
from ostiary.core.tokens.tokens import REFRESH_MISSING
from ostiary.http.assembly import json_response
from ostiary.http.delivery import (
    access_body,
    pair_body,
    pair_cookies,
    refresh_cookie,
    refuse_foreign_scripts,
    refuse_scripts,
)
from ostiary.http.inputs import JsonBody, json_body
from ostiary.http.visit import Visit, is_dead, visit_of
from ostiary.kernel.errors import Refused
from ostiary.kernel.secret import Secret

_LONGEST: Final = 512


class TokenBody(JsonBody):
    """A front end's one-time code, and the verifier of its challenge. Without a body the session cookie counts."""

    code: Annotated[str, Field(min_length=1, max_length=_LONGEST)]
    code_verifier: Annotated[str, Field(min_length=1, max_length=LONGEST_VERIFIER)]


class AccessView(JsonBody):
    """An access token; `expires_in` are seconds."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int


class PairView(AccessView):
    """An access token, and the refresh token for the next pair."""

    refresh_token: str


class RefreshBody(JsonBody):
    """A refresh token. A browser that keeps it in a cookie sends none here."""

    refresh_token: Annotated[str | None, Field(max_length=_LONGEST)] = None


class Renewed(JsonBody):
    """The cookies were renewed; the access token in them is good for so many seconds."""

    expires_in: int


async def token(request: Request) -> Response:
    """An access token for the session of a browser, or a pair for a one-time code."""
    visit = visit_of(request.scope)
    if visit.json is not None:
        return await _exchange(visit, json_body(visit, TokenBody))
    if visit.cookies.session is None:
        # Not by an access token: it would live for ever by renewing itself.
        raise Refused(NOT_AUTHENTICATED, "no session cookie", counted=False)
    refuse_foreign_scripts(visit)
    access = await visit.edge.core.tokens.access(await visit.browser_session(visit.admit))
    return json_response(access_body(access))


async def _exchange(visit: Visit, body: TokenBody) -> Response:
    refuse_scripts(visit)
    origin = visit.headers.get(b"origin")
    pair = await visit.edge.core.codes.exchange(
        visit.origin,
        Secret(body.code),
        Secret(body.code_verifier),
        origin.decode("latin-1") if origin else None,
    )
    return json_response(pair_body(pair))


async def refresh(request: Request) -> Response:
    """The next pair: in the body for a token in the body, in cookies alone for a token in a cookie."""
    visit = visit_of(request.scope)
    body = json_body(visit, RefreshBody) if visit.json is not None else RefreshBody()
    tokens = visit.edge.core.tokens
    if body.refresh_token:
        refuse_scripts(visit)
        return json_response(
            pair_body(await tokens.refresh(visit.origin, Secret(body.refresh_token), TOKENS))
        )
    found = refresh_cookie(visit)
    if found is None:
        raise Refused(REFRESH_MISSING, "neither in the body nor in a cookie", counted=False)
    session_id, secret = found
    try:
        pair = await tokens.refresh(visit.origin, secret, COOKIE_PAIR, session_id)
    except Refused as refused:
        visit.is_stale |= is_dead(refused)
        raise
    return json_response({"expires_in": pair.access.expires_in}, headers=pair_cookies(visit, pair))
