"""Owns the JSON routes of changing and recovering passwords."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field
from starlette.requests import Request

from ostiary.features.password import flow, recovery
from ostiary.http.access import CurrentOrigin, CurrentSession
from ostiary.http.delivery import held
from ostiary.http.entrance import renewed_cookies
from ostiary.http.inputs import CurrentCore, JsonBody
from ostiary.http.visit import visit_of
from ostiary.kernel.secret import Secret

public = APIRouter(tags=["password"])
own = APIRouter(tags=["password"])


class ForgotBody(JsonBody):
    """The address that the mail goes to."""

    email: Annotated[str, Field(min_length=3, max_length=recovery.LONGEST_EMAIL)]


class ResetBody(JsonBody):
    """The token from the link, and the new password."""

    token: Annotated[str, Field(min_length=1, max_length=recovery.LONGEST_TOKEN)]
    new_password: Annotated[str, Field(min_length=1)]


class ChangeBody(JsonBody):
    """The new password, and the current one; without that the sign-in must be fresh."""

    current_password: Annotated[str | None, Field(min_length=1)] = None
    new_password: Annotated[str, Field(min_length=1)]


class ResetSent(JsonBody):
    """The same answer for every address."""

    status: str = "reset_sent"


class PasswordReset(JsonBody):
    """The new password is set; signing in is a step of its own."""

    status: str = "password_reset"


class PasswordChanged(JsonBody):
    """The new password is set; the cookies of this answer go on with the session."""

    status: str = "password_changed"


@public.post("/auth/password/forgot", status_code=202)
async def forgot(body: ForgotBody, core: CurrentCore, origin: CurrentOrigin) -> ResetSent:
    """Ask for a link to choose a new password. Answers 202 whether or not a mail leaves."""
    await recovery.forgot(core, origin, body.email)
    return ResetSent()


@public.post("/auth/password/reset")
async def reset(body: ResetBody, core: CurrentCore, origin: CurrentOrigin) -> PasswordReset:
    """Choose a new password with the token from the link. Ends every session, and signs nobody in."""
    await recovery.reset(core, origin, Secret(body.token), Secret(body.new_password))
    return PasswordReset()


@own.post("/auth/password/change")
async def change(
    body: ChangeBody,
    request: Request,
    response: Response,
    core: CurrentCore,
    origin: CurrentOrigin,
    current: CurrentSession,
) -> PasswordChanged:
    """Change the password, or set the first one. Ends every other session.

    This one gets another id and new cookies. Whoever came with an access token signs in again.
    """
    visit = visit_of(request.scope)
    typed = Secret(body.current_password) if body.current_password is not None else None
    done = await flow.change_password(core, origin, current, typed, Secret(body.new_password), held(visit))
    cookies = renewed_cookies(visit, current.account, done.account, done.session, done.token, done.pair)
    response.raw_headers.extend(cookies)
    return PasswordChanged()
