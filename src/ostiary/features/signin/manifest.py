"""Owns what signing in plugs into the engine."""

from ostiary.features.signin import flow
from ostiary.features.signin.api import router, session
from ostiary.features.signin.cli import commands
from ostiary.features.signin.pages import PAGES
from ostiary.http.access import PUBLIC, SESSION
from ostiary.http.rib import Rib
from ostiary.http.routing import Hot, JsonRoutes

_SESSION_DOC = {
    "tags": ["sign-in"],
    "summary": "Who am I",
    "responses": {
        "200": {"description": "`{user, session, principal}` of the session cookie."},
        "401": {"description": "`not_authenticated` or `session_ended`; a dead cookie is cleared."},
    },
}

RIB = Rib(
    name="signin",
    events=flow.EVENTS,
    commands=commands,
    json_routes=(JsonRoutes(router, PUBLIC),),
    hot_routes=(Hot("/auth/session", ("GET",), session, SESSION, _SESSION_DOC), *PAGES),
)
