"""Owns the JSON routes of authenticator apps."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from ostiary.features.totp import flow
from ostiary.features.totp.qr import qr_svg
from ostiary.http.access import CurrentOrigin, CurrentSession
from ostiary.http.delivery import held
from ostiary.http.entrance import session_cookies
from ostiary.http.inputs import CurrentCore, JsonBody
from ostiary.http.visit import visit_of

router = APIRouter(tags=["second factors"])
TotpId = Annotated[str, Path(max_length=64)]


class EnrolBody(JsonBody):
    """What the owner calls the app."""

    name: Annotated[str, Field(max_length=flow.LONGEST_NAME)] = ""


class Enrolment(JsonBody):
    """What the app needs. Nothing returns it again."""

    id: str
    secret: str
    uri: str
    qr_svg: str


class ConfirmBody(JsonBody):
    """The first code from the app; spaces and dashes do not matter."""

    code: Annotated[str, Field(max_length=flow.LONGEST_CODE)]


class Confirmed(JsonBody):
    """Backup codes, shown this once; empty when the account has some already."""

    backup_codes: list[str]


@router.post("/auth/mfa/totp")
async def enrol(
    core: CurrentCore, origin: CurrentOrigin, current: CurrentSession, body: EnrolBody | None = None
) -> Enrolment:
    """Begin to add an authenticator app; it counts once a code has confirmed it. Wants a fresh sign-in."""
    made = await flow.begin(core, origin, current, body.name if body else "")
    return Enrolment(id=made.id, secret=made.secret.reveal(), uri=made.uri.reveal(), qr_svg=qr_svg(made.uri))


@router.post("/auth/mfa/totp/{totp_id}/confirm")
async def confirm(
    totp_id: TotpId,
    body: ConfirmBody,
    request: Request,
    response: Response,
    core: CurrentCore,
    origin: CurrentOrigin,
    current: CurrentSession,
) -> Confirmed:
    """Confirm an app with its first code. The session may get another id; the first app brings backup codes."""
    visit = visit_of(request.scope)
    added = await flow.confirm(core, origin, current.principal, totp_id, body.code, held(visit))
    if added.renewed:
        response.raw_headers.extend(session_cookies(visit, *added.renewed))
    return Confirmed(backup_codes=[spare.reveal() for spare in added.spares])


@router.delete("/auth/mfa/totp/{totp_id}", status_code=204)
async def remove(totp_id: TotpId, core: CurrentCore, origin: CurrentOrigin, current: CurrentSession) -> None:
    """Remove an app. Wants a fresh sign-in; backup codes go with the last one."""
    await flow.remove(core, origin, current.principal, totp_id)
