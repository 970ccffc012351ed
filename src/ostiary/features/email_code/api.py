"""Owns the JSON routes of codes by mail."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from ostiary.features.email_code import flow
from ostiary.http.access import CurrentOrigin, CurrentSession
from ostiary.http.delivery import held
from ostiary.http.entrance import session_cookies
from ostiary.http.inputs import CurrentCore, JsonBody
from ostiary.http.visit import visit_of

router = APIRouter(tags=["second factors"])


class Sent(JsonBody):
    """A mail is on its way."""

    status: str = "code_sent"


class ConfirmBody(JsonBody):
    """The code from the mail; spaces and dashes do not matter."""

    code: Annotated[str, Field(max_length=flow.LONGEST_CODE)]


class Confirmed(JsonBody):
    """Backup codes, shown this once; empty when the account has some already."""

    backup_codes: list[str]


@router.post("/auth/mfa/email-code", status_code=202)
async def begin(core: CurrentCore, origin: CurrentOrigin, current: CurrentSession) -> Sent:
    """Mail a code to the primary address, to switch codes by mail on. Wants a fresh sign-in."""
    await flow.begin(core, origin, current.principal)
    return Sent()


@router.post("/auth/mfa/email-code/confirm")
async def confirm(
    body: ConfirmBody,
    request: Request,
    response: Response,
    core: CurrentCore,
    origin: CurrentOrigin,
    current: CurrentSession,
) -> Confirmed:
    """Switch codes by mail on. The session may get another id; the first factor brings backup codes."""
    visit = visit_of(request.scope)
    added = await flow.confirm(core, origin, current.principal, body.code, held(visit))
    if added.renewed:
        response.raw_headers.extend(session_cookies(visit, *added.renewed))
    return Confirmed(backup_codes=[spare.reveal() for spare in added.spares])


@router.delete("/auth/mfa/email-code", status_code=204)
async def remove(core: CurrentCore, origin: CurrentOrigin, current: CurrentSession) -> None:
    """Switch codes by mail off. Wants a fresh sign-in."""
    await flow.remove(core, origin, current.principal)
