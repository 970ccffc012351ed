"""Owns the JSON route of registration."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from ostiary.features.registration import flow
from ostiary.http.access import CurrentOrigin
from ostiary.http.inputs import CurrentCore, JsonBody
from ostiary.kernel.secret import Secret

router = APIRouter(tags=["registration"])


class RegisterBody(JsonBody):
    """An address, a password, and perhaps a name."""

    email: Annotated[str, Field(min_length=3, max_length=flow.LONGEST_EMAIL)]
    password: Annotated[str, Field(min_length=1)]
    name: Annotated[str, Field(max_length=flow.LONGEST_NAME)] = ""


class Registered(JsonBody):
    """The same answer for every address."""

    status: str = "verification_sent"


@router.post("/auth/register", status_code=202)
async def register(body: RegisterBody, core: CurrentCore, origin: CurrentOrigin) -> Registered:
    """Register an address. Answers 202 whether or not it is known; what follows comes by mail."""
    await flow.register(core, origin, flow.Registration(body.email, Secret(body.password), body.name.strip()))
    return Registered()
