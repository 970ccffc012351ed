"""Owns the JSON routes of e-mail verification."""

from typing import Annotated, Self

from fastapi import APIRouter
from pydantic import Field, model_validator

from ostiary.features.email_verification import flow
from ostiary.http.access import CurrentOrigin
from ostiary.http.inputs import CurrentCore, JsonBody
from ostiary.kernel.secret import Secret

router = APIRouter(tags=["email verification"])


class VerifyBody(JsonBody):
    """Either the token from the link, or the address and the code."""

    token: Annotated[str | None, Field(min_length=1, max_length=flow.LONGEST_TOKEN)] = None
    email: Annotated[str | None, Field(min_length=3, max_length=flow.LONGEST_EMAIL)] = None
    code: Annotated[str | None, Field(min_length=1, max_length=flow.LONGEST_CODE)] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        by_code = self.email is not None and self.code is not None
        some_of_code = self.email is not None or self.code is not None
        if (self.token is not None) == by_code or (self.token is not None and some_of_code):
            raise ValueError("send either token, or email and code")
        return self


class ResendBody(JsonBody):
    """The address that waits for its mail."""

    email: Annotated[str, Field(min_length=3, max_length=flow.LONGEST_EMAIL)]


class Verified(JsonBody):
    """The address is proven; signing in is a step of its own."""

    status: str = "verified"


class Resent(JsonBody):
    """The same answer for every address."""

    status: str = "verification_sent"


@router.post("/auth/email/verify")
async def verify(body: VerifyBody, core: CurrentCore, origin: CurrentOrigin) -> Verified:
    """Prove an address with the token from the link, or with the address and its code."""
    if body.token is not None:
        await flow.verify_link(core, origin, Secret(body.token))
    else:
        await flow.verify_code(core, origin, body.email or "", body.code or "")
    return Verified()


@router.post("/auth/email/resend", status_code=202)
async def resend(body: ResendBody, core: CurrentCore, origin: CurrentOrigin) -> Resent:
    """Send the mail again. Answers 202 whether or not the address waits for one."""
    await flow.resend(core, origin, body.email)
    return Resent()
