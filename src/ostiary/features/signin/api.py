"""Owns the JSON routes of signing in and out, and who one is; all but signing out are hot."""

from typing import Annotated, Any, Literal, Self

import orjson
from fastapi import APIRouter, Response
from pydantic import Field, model_validator
from starlette.requests import Request
from starlette.responses import Response as PlainResponse

from ostiary.core.sessions.sessions import Resolved
from ostiary.core.tokens.settings import COOKIE, Delivery
from ostiary.features.signin import flow
from ostiary.features.signin.password_way import PasswordWay, Submission
from ostiary.http.arrival import answer, session_view, user_view
from ostiary.http.assembly import json_response
from ostiary.http.entrance import begin, csrf_cookie, everyone, resume, take_back
from ostiary.http.inputs import CurrentCore, JsonBody, json_body
from ostiary.http.visit import visit_of
from ostiary.kernel.secret import Secret

router = APIRouter(tags=["sign-in"])


class LoginBody(JsonBody):
    """An identifier and a password.

    A `code` saves the second step when a factor is enrolled, and with it `trust_device` saves the next ones in this
    browser. `next` comes back as `redirect_to` if it is allowed. `delivery` says how the session is handed out: in a
    cookie, as tokens in the answer, or as cookies with tokens.
    """

    identifier: Annotated[str, Field(min_length=1, max_length=flow.LONGEST_IDENTIFIER)]
    password: str
    remember: bool = False
    delivery: Delivery = COOKIE
    code: Annotated[str | None, Field(min_length=1, max_length=flow.LONGEST_CODE)] = None
    trust_device: bool = False
    next: Annotated[str | None, Field(max_length=2000)] = None


class FactorBody(JsonBody):
    """The answer to a factor that was asked for: a `code`, or for a passkey the authenticator's `response`.

    With `trust_device` this browser is spared the second step from then on, for as long as `trust_for` has said.
    """

    attempt: Annotated[str, Field(min_length=1, max_length=8192)]
    factor: Annotated[str, Field(min_length=1, max_length=64)]
    code: Annotated[str | None, Field(max_length=flow.LONGEST_CODE)] = None
    response: dict[str, Any] | None = None
    delivery: Delivery = COOKIE
    trust_device: bool = False
    next: Annotated[str | None, Field(max_length=2000)] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.code is None) == (self.response is None):
            raise ValueError("send either code or response")
        return self

    @property
    def answer(self) -> Secret:
        """As factors take it."""
        return Secret(orjson.dumps(self.response) if self.code is None else self.code)


class ChallengeBody(JsonBody):
    """A sign-in that waits, and the factor that shall be answered."""

    attempt: Annotated[str, Field(min_length=1, max_length=8192)]
    factor: Annotated[str, Field(min_length=1, max_length=64)]
    delivery: Delivery = COOKIE


class Challenged(JsonBody):
    """It was made or sent; `challenge` is what the client needs for its answer."""

    status: Literal["challenged"] = "challenged"
    challenge: dict[str, Any]


class EnrolBody(JsonBody):
    """The factor that a sign-in shall add which cannot go on without one."""

    attempt: Annotated[str, Field(min_length=1, max_length=8192)]
    factor: Annotated[str, Field(min_length=1, max_length=64)]
    delivery: Delivery = COOKIE


class LogoutBody(JsonBody):
    """`everywhere` ends every session of the account; `refresh_token` says whose, where no cookie does.

    A token that has expired or was used before ends its own session alone.
    """

    everywhere: bool = False
    refresh_token: Annotated[str | None, Field(max_length=512)] = None


async def login(request: Request) -> PlainResponse:
    """Sign in with a password. Unknown account, wrong password and an account that may not sign in look alike."""
    visit = visit_of(request.scope)
    body = json_body(visit, LoginBody)
    core = visit.edge.core
    entry = await begin(
        visit,
        remember=body.remember,
        code=body.code,
        delivery=body.delivery,
        trust_device=body.trust_device,
    )
    way = PasswordWay(core.world, core.passwords, asks_breaches=core.door.is_watched)
    outcome = await core.door.enter(entry, way, Submission(body.identifier, Secret(body.password)))
    found, cookies = answer(visit, outcome, entry.pre_session, body.next)
    return json_response(found, headers=cookies)


async def login_factor(request: Request) -> PlainResponse:
    """Answer with a factor; only the browser that began the sign-in can."""
    visit = visit_of(request.scope)
    body = json_body(visit, FactorBody)
    entry = await resume(visit, body.delivery, trust_device=body.trust_device)
    outcome = await visit.edge.core.door.proceed(entry, body.attempt, body.factor, body.answer)
    found, cookies = answer(visit, outcome, entry.pre_session, body.next)
    return json_response(found, headers=cookies)


@router.post("/auth/login/challenge", status_code=202)
async def challenge(body: ChallengeBody, request: Request, core: CurrentCore) -> Challenged:
    """Ask for what a factor needs before it can be answered, such as a mail with a code."""
    entry = await resume(visit_of(request.scope), body.delivery)
    made = await core.door.challenge(entry, body.attempt, body.factor)
    return Challenged(challenge=dict(made))


@router.post("/auth/login/enrol")
async def enrol(body: EnrolBody, request: Request, core: CurrentCore) -> dict[str, Any]:
    """Begin to add a factor; its first code goes to `/auth/login/factor`, together with the `attempt` answered here.

    The other members depend on the factor: for `totp` they are `secret`, `uri` and `qr_svg`, for `passkey` the
    `options` for `navigator.credentials.create`. Nothing is stored yet.
    """
    entry = await resume(visit_of(request.scope), body.delivery)
    begun = await core.door.begin_enrolment(entry, body.attempt, body.factor)
    return {"attempt": begun.attempt, "factor": begun.factor, **begun.plain()}


@router.post("/auth/logout", status_code=204)
async def logout(
    request: Request, response: Response, core: CurrentCore, body: LogoutBody | None = None
) -> None:
    """Sign out whoever cookies, access token and refresh token speak for. Always 204; clears the cookies."""
    visit = visit_of(request.scope)
    given = body or LogoutBody()
    for who in await everyone(visit, given.refresh_token):
        # What has expired or was used before may be in anybody's hands: it ends its own session alone.
        everywhere = given.everywhere and who.is_current
        await flow.sign_out(core, visit.origin, who.resolved.principal, everywhere=everywhere)
    response.raw_headers.extend(take_back(visit))


async def session(request: Request) -> PlainResponse:
    """Who am I: one indexed query, without FastAPI's layer."""
    visit = visit_of(request.scope)
    resolved: Resolved = await visit.session()
    # The browser may have lost it, or never stored it.
    is_lost = visit.bearer is None and visit.cookies.csrf is None
    headers = [csrf_cookie(visit, resolved.session)] if is_lost else []
    return json_response(_who(resolved), headers=headers)


def _who(resolved: Resolved) -> dict[str, object]:
    principal = resolved.principal
    return {
        "user": user_view(resolved.account),
        "session": session_view(resolved.session),
        "principal": {
            "account_id": principal.account_id,
            "session_id": principal.session_id,
            "amr": principal.amr,
            "acr": principal.acr,
            "auth_time": principal.authenticated_at,
        },
    }
