"""Owns the JSON route of alerts."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from ostiary.features.alerts import flow
from ostiary.http.access import CurrentOrigin
from ostiary.http.inputs import CurrentCore, JsonBody
from ostiary.kernel.secret import Secret

router = APIRouter(tags=["alerts"])


class NotMeBody(JsonBody):
    """The token from the link in the mail."""

    token: Annotated[str, Field(min_length=1, max_length=flow.LONGEST_TOKEN)]


class Disowned(JsonBody):
    """Every session ended, the password works no more, and a link to choose a new one is on its way."""

    status: str = "disowned"


@router.post("/auth/not-me")
async def not_me(body: NotMeBody, core: CurrentCore, origin: CurrentOrigin) -> Disowned:
    """Say by the link from a mail that a sign-in was not you. Needs no session; works once."""
    await flow.disown(core, origin, Secret(body.token))
    return Disowned()
