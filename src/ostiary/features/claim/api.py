"""Owns the JSON route of claiming."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from ostiary.features.claim import flow
from ostiary.http.access import CurrentOrigin, CurrentSession
from ostiary.http.inputs import CurrentCore, JsonBody
from ostiary.kernel.secret import Secret

router = APIRouter(tags=["administration"])


class ClaimBody(JsonBody):
    """The token from the link."""

    token: Annotated[str, Field(min_length=1, max_length=flow.LONGEST_TOKEN)]


class Claimed(JsonBody):
    """The account is administrator now."""

    status: Literal["claimed"] = "claimed"


@router.post("/auth/claim")
async def claim(
    body: ClaimBody, core: CurrentCore, origin: CurrentOrigin, current: CurrentSession
) -> Claimed:
    """Become administrator with the link that the server printed."""
    await flow.claim(core, origin, current.principal, Secret(body.token))
    return Claimed()
