"""Owns what signing in plugs into the engine."""

from ostiary.features.signin import flow
from ostiary.features.signin.api import FactorBody, LoginBody, login, login_factor, router, session
from ostiary.features.signin.cli import commands
from ostiary.features.signin.enrol_pages import PAGES as ENROL_PAGES
from ostiary.features.signin.pages import PAGES
from ostiary.features.signin.password_way import PasswordWay
from ostiary.http.access import PUBLIC, SESSION
from ostiary.http.arrival import Login
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

_LOGIN_DOC = {
    "tags": ["sign-in"],
    "summary": "Sign in",
    "description": "Sign in with a password. Unknown account, wrong password and an account that may not sign in look "
    "alike.",
}
_FACTOR_DOC = {
    "tags": ["sign-in"],
    "summary": "Answer with a factor",
    "description": "Answer with a factor; only the browser that began the sign-in can.",
}

RIB = Rib(
    name="signin",
    events=flow.EVENTS,
    ways=(PasswordWay.name,),
    commands=commands,
    json_routes=(JsonRoutes(router, PUBLIC),),
    hot_routes=(
        Hot("/auth/session", ("GET",), session, SESSION, _SESSION_DOC),
        Hot("/auth/login", ("POST",), login, PUBLIC, _LOGIN_DOC, takes=LoginBody, gives=Login),
        Hot(
            "/auth/login/factor", ("POST",), login_factor, PUBLIC, _FACTOR_DOC, takes=FactorBody, gives=Login
        ),
        *PAGES,
        *ENROL_PAGES,
    ),
)
