"""Owns the JSON routes of magic links."""

from typing import Annotated, Any, Self

from fastapi import APIRouter, Response
from pydantic import Field, model_validator
from starlette.requests import Request

from ostiary.core.tokens.settings import COOKIE, TOKENS, Delivery
from ostiary.features.magic_link import flow
from ostiary.features.magic_link.way import MagicLinkWay, Submission, unseal
from ostiary.http.arrival import Login, answer
from ostiary.http.delivery import judge_delivery
from ostiary.http.entrance import begin
from ostiary.http.inputs import CurrentCore, JsonBody
from ostiary.http.redirects import safe_next
from ostiary.http.visit import visit_of
from ostiary.kernel.secret import Secret

router = APIRouter(tags=["magic link"])


class AskBody(JsonBody):
    """Whose mailbox, and what shall happen after signing in; `delivery` as in `POST /auth/login`."""

    email: Annotated[str, Field(min_length=3, max_length=flow.LONGEST_EMAIL)]
    remember: bool = False
    delivery: Delivery = COOKIE
    next: Annotated[str | None, Field(max_length=2000)] = None


class Sent(JsonBody):
    """The same answer for every address. With `delivery: tokens` the `attempt` is what the link belongs to."""

    status: str = "link_sent"
    attempt: str | None = None


class RedeemBody(JsonBody):
    """Either the token from the link, or the code that the link shows in another browser.

    With `delivery: tokens` also the `attempt` from asking; a browser has it in its cookie.
    """

    token: Annotated[str | None, Field(min_length=1, max_length=flow.LONGEST_TOKEN)] = None
    code: Annotated[str | None, Field(min_length=1, max_length=flow.LONGEST_CODE)] = None
    delivery: Delivery = COOKIE
    attempt: Annotated[str | None, Field(min_length=1, max_length=flow.LONGEST_ATTEMPT)] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.token is None) == (self.code is None):
            raise ValueError("send either token or code")
        if (self.attempt is None) != (self.delivery != TOKENS):
            raise ValueError("send attempt with delivery tokens, and with no other")
        return self


@router.post("/auth/magic-link", status_code=202, response_model_exclude_none=True)
async def ask(body: AskBody, request: Request, response: Response, core: CurrentCore) -> Sent:
    """Mail a link that signs in. Answers 202 whether or not there is an account."""
    visit = visit_of(request.scope)
    judge_delivery(visit, body.delivery)
    destination = safe_next(body.next, visit.edge.settings.after_sign_in) or ""
    wish = flow.Wish(body.email, body.remember, destination, body.delivery)
    sealed = await flow.ask(core, visit.origin, wish)
    if body.delivery == TOKENS:
        return Sent(attempt=sealed)
    response.raw_headers.append(visit.edge.cookies.set_pre(sealed))
    return Sent()


@router.post("/auth/magic-link/redeem", response_model=Login, response_model_exclude_unset=True)
async def redeem(body: RedeemBody, request: Request, response: Response, core: CurrentCore) -> dict[str, Any]:
    """Sign in with the link's token, or with its code, in the browser or the program that asked."""
    visit = visit_of(request.scope)
    kept = body.attempt if body.delivery == TOKENS else visit.cookies.pre
    asked = unseal(core.ring, kept or "", core.world.now(), body.delivery)
    token = Secret(body.token) if body.token is not None else None
    entry = await begin(visit, remember=asked is not None and asked.is_remembered, delivery=body.delivery)
    outcome = await core.door.enter(entry, MagicLinkWay(core), Submission(asked, token, body.code or ""))
    found, cookies = answer(visit, outcome, entry.pre_session, asked.next if asked else "")
    response.raw_headers.extend(cookies)
    return found
