"""Owns the JSON routes of registration."""

from typing import Annotated, Any, Self

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import Field, model_validator

from ostiary.features.registration import flow
from ostiary.http.access import CurrentOrigin
from ostiary.http.entrance import keep_browser
from ostiary.http.inputs import CurrentCore, JsonBody
from ostiary.http.pages import CHECK
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import NOT_FOUND, Refused
from ostiary.kernel.secret import Secret

router = APIRouter(tags=["registration"])
Email = Annotated[str, Field(min_length=3, max_length=flow.LONGEST_EMAIL)]
FactorName = Annotated[str, Field(min_length=1, max_length=64)]


class RegisterBody(JsonBody):
    """An address, perhaps a name, and what will sign in.

    That is a `password`, or the `response` to the options of a `factor`: "passkey".
    """

    email: Email
    password: Annotated[str | None, Field(min_length=1)] = None
    name: Annotated[str, Field(max_length=flow.LONGEST_NAME)] = ""
    factor: FactorName | None = None
    response: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        by_factor = self.factor is not None and self.response is not None
        some_of_factor = self.factor is not None or self.response is not None
        if (self.password is not None) == by_factor or (self.password is not None and some_of_factor):
            raise ValueError("send either password, or factor and response")
        return self

    def key(self, visit: Visit) -> Secret | flow.Brought:
        """What will sign in."""
        if self.password is not None:
            return Secret(self.password)
        return flow.Brought(self.factor or "", visit.cookies.pre or "", Secret(orjson.dumps(self.response)))


class RegisterOptionsBody(JsonBody):
    """The address that is being registered, and with what: "passkey"."""

    email: Email
    factor: FactorName


class Registered(JsonBody):
    """The same answer for every address."""

    status: str = "verification_sent"


@router.post("/auth/register/options")
async def register_options(
    body: RegisterOptionsBody, request: Request, response: Response, core: CurrentCore
) -> dict[str, Any]:
    """Begin to register without a password. The same for every address; the answer counts in this browser alone.

    For `passkey`, `options` are for `navigator.credentials.create`. Nothing is stored.
    """
    visit = visit_of(request.scope)
    if not visit.edge.shell.has(CHECK):
        raise Refused(NOT_FOUND, "nothing here proves an address", counted=False)
    browser, cookie = keep_browser(visit)
    asked = flow.invite(core, browser, body.email, body.factor)
    response.raw_headers.append(cookie)
    return dict(asked)


@router.post("/auth/register", status_code=202)
async def register(
    body: RegisterBody, request: Request, core: CurrentCore, origin: CurrentOrigin
) -> Registered:
    """Register an address. Answers 202 whether or not it is known; what follows comes by mail."""
    key = body.key(visit_of(request.scope))
    await flow.register(core, origin, flow.Registration(body.email, key, body.name.strip()))
    return Registered()
