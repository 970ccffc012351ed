"""Owns the JSON route that has an account deleted."""

from datetime import datetime

from fastapi import APIRouter, Request, Response

from ostiary.features.deletion import flow
from ostiary.http.access import CurrentOrigin, CurrentSession
from ostiary.http.entrance import take_back
from ostiary.http.inputs import CurrentCore, JsonBody
from ostiary.http.visit import visit_of

router = APIRouter(tags=["account"])


class DeletionView(JsonBody):
    """The account is deleted at `due_at`, unless somebody signs in to it before."""

    status: str = "deletion_requested"
    due_at: datetime


@router.delete("/auth/account", status_code=202)
async def delete_account(
    request: Request, response: Response, core: CurrentCore, origin: CurrentOrigin, current: CurrentSession
) -> DeletionView:
    """Have the account deleted after the grace, and end every session of it now. Needs a fresh sign-in."""
    due = await flow.request(core, origin, current.principal)
    response.raw_headers.extend(take_back(visit_of(request.scope)))
    return DeletionView(due_at=due)
