"""Owns the JSON routes of signing in and out, and the hot route that says who one is."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response as PlainResponse

from ostiary.core.accounts.accounts import Account
from ostiary.core.sessions.sessions import Resolved, Session
from ostiary.core.signin.door import FactorRequired, SignedIn
from ostiary.features.signin import flow
from ostiary.features.signin.password_way import PasswordWay, Submission
from ostiary.http.assembly import json_response
from ostiary.http.entrance import begin, csrf_cookie, hand_out, present, resume, take_back
from ostiary.http.inputs import CurrentCore, JsonBody
from ostiary.http.redirects import safe_next
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.secret import Secret

router = APIRouter(tags=["sign-in"])


class LoginBody(JsonBody):
    """An identifier and a password.

    A `code` saves the second step when a factor is enrolled. `next` comes back as `redirect_to` if it is allowed.
    """

    identifier: Annotated[str, Field(min_length=1, max_length=flow.LONGEST_IDENTIFIER)]
    password: str
    remember: bool = False
    delivery: Literal["cookie"] = "cookie"
    code: Annotated[str | None, Field(min_length=1, max_length=flow.LONGEST_CODE)] = None
    next: Annotated[str | None, Field(max_length=2000)] = None


class FactorBody(JsonBody):
    """The answer to a factor that was asked for."""

    attempt: Annotated[str, Field(min_length=1, max_length=8192)]
    factor: Annotated[str, Field(min_length=1, max_length=64)]
    code: Annotated[str, Field(max_length=flow.LONGEST_CODE)]
    delivery: Literal["cookie"] = "cookie"
    next: Annotated[str | None, Field(max_length=2000)] = None


class LogoutBody(JsonBody):
    """`everywhere` ends every session of the account."""

    everywhere: bool = False


class UserView(JsonBody):
    """Whose session it is."""

    id: str
    email: str | None
    email_verified: bool
    name: str


class SessionView(JsonBody):
    """The session."""

    id: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    amr: list[str]
    acr: str


class LoginComplete(JsonBody):
    """Signed in; the session is in the cookie. `redirect_to` is `next` if that is allowed, else null."""

    status: Literal["complete"] = "complete"
    user: UserView
    session: SessionView
    redirect_to: str | None = None


class LoginWaits(JsonBody):
    """One of `factors` is needed: send it with `attempt` to `/auth/login/factor`, from the same browser."""

    status: Literal["factor_required"] = "factor_required"
    attempt: str
    factors: list[str]


# Plain objects, which the typed routes check against their views and the hot route writes as they are.
def _user(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "email": account.email,
        "email_verified": account.is_email_verified,
        "name": account.name,
    }


def _session(session: Session) -> dict[str, Any]:
    return {
        "id": session.id,
        "created_at": session.created_at,
        "last_seen_at": session.last_seen_at,
        "expires_at": session.expires_at,
        "amr": list(session.amr),
        "acr": session.acr,
    }


def _answer(
    visit: Visit,
    response: Response,
    outcome: SignedIn | FactorRequired,
    body: LoginBody | FactorBody,
    pre: str,
) -> LoginComplete | LoginWaits:
    if isinstance(outcome, SignedIn):
        response.raw_headers.extend(hand_out(visit, outcome))
        return LoginComplete(
            user=UserView(**_user(outcome.account)),
            session=SessionView(**_session(outcome.session)),
            redirect_to=safe_next(body.next, visit.edge.settings.after_sign_in),
        )
    response.raw_headers.append(visit.edge.cookies.set_pre(pre))
    return LoginWaits(attempt=outcome.attempt, factors=list(outcome.factors))


@router.post("/auth/login")
async def login(
    body: LoginBody, request: Request, response: Response, core: CurrentCore
) -> LoginComplete | LoginWaits:
    """Sign in with a password. Unknown account, wrong password and an account that may not sign in look alike."""
    visit = visit_of(request.scope)
    entry = await begin(visit, remember=body.remember, code=body.code)
    way = PasswordWay(core.world, core.passwords)
    outcome = await core.door.enter(entry, way, Submission(body.identifier, Secret(body.password)))
    return _answer(visit, response, outcome, body, entry.pre_session)


@router.post("/auth/login/factor")
async def login_factor(
    body: FactorBody, request: Request, response: Response, core: CurrentCore
) -> LoginComplete | LoginWaits:
    """Answer with a factor; only the browser that began the sign-in can."""
    visit = visit_of(request.scope)
    entry = await resume(visit)
    outcome = await core.door.proceed(entry, body.attempt, body.factor, Secret(body.code))
    return _answer(visit, response, outcome, body, entry.pre_session)


@router.post("/auth/logout", status_code=204)
async def logout(
    request: Request, response: Response, core: CurrentCore, body: LogoutBody | None = None
) -> None:
    """Sign out. Answers 204 with or without a live session, and clears the cookies."""
    visit = visit_of(request.scope)
    who = await present(visit)
    if who is not None:
        await flow.sign_out(core, visit.origin, who, everywhere=body is not None and body.everywhere)
    response.raw_headers.extend(take_back(visit))


async def session(request: Request) -> PlainResponse:
    """Who am I: one indexed query, without FastAPI's layer."""
    visit = visit_of(request.scope)
    resolved: Resolved = await visit.session()
    # The browser may have lost it, or never stored it.
    headers = [csrf_cookie(visit, resolved.session)] if visit.cookies.csrf is None else []
    return json_response(_who(resolved), headers=headers)


def _who(resolved: Resolved) -> dict[str, object]:
    principal = resolved.principal
    return {
        "user": _user(resolved.account),
        "session": _session(resolved.session),
        "principal": {
            "account_id": principal.account_id,
            "session_id": principal.session_id,
            "amr": principal.amr,
            "acr": principal.acr,
            "auth_time": principal.authenticated_at,
        },
    }
