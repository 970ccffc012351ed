"""Owns the JSON routes of passkeys."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from ostiary.core.tokens.settings import COOKIE, TOKENS, Delivery
from ostiary.features.passkeys import flow, way
from ostiary.features.passkeys.way import PasskeyWay, Submission
from ostiary.http.access import CurrentOrigin, CurrentSession
from ostiary.http.arrival import Login, answer
from ostiary.http.delivery import held, judge_delivery
from ostiary.http.entrance import begin, keep_browser, session_cookies
from ostiary.http.inputs import CurrentCore, JsonBody
from ostiary.http.visit import visit_of

router = APIRouter(tags=["passkeys"])
public_router = APIRouter(tags=["passkeys"])
PasskeyId = Annotated[str, Path(max_length=64)]
Name = Annotated[str, Field(max_length=flow.LONGEST_NAME)]


class PasskeyOptions(JsonBody):
    """What a page hands to `navigator.credentials`: read `options` with `parse…OptionsFromJSON`."""

    options: dict[str, Any]


class AddPasskeyBody(JsonBody):
    """What `navigator.credentials.create` came to, as `toJSON()` writes it, and what its owner calls it."""

    response: dict[str, Any]
    name: Name = ""


class RenamePasskeyBody(JsonBody):
    """Another name; an empty one lets it be called after who made it."""

    name: Name


class OptionsBody(JsonBody):
    """`delivery` as in `POST /auth/login`."""

    delivery: Delivery = COOKIE


class PasskeyLoginBody(JsonBody):
    """What `navigator.credentials.get` came to, as `toJSON()` writes it; the others as in `POST /auth/login`."""

    response: dict[str, Any]
    remember: bool = False
    delivery: Delivery = COOKIE
    next: Annotated[str | None, Field(max_length=2000)] = None


class PasskeyView(JsonBody):
    """A passkey. `provider` is empty where nobody knows it; `may_sign_in_alone` says that it verifies its owner."""

    id: str
    name: str
    provider: str
    may_be_synced: bool
    synced: bool
    may_sign_in_alone: bool
    created_at: datetime
    last_used_at: datetime | None


class Passkeys(JsonBody):
    """Oldest first."""

    passkeys: list[PasskeyView]


class AddedPasskey(JsonBody):
    """The passkey, and backup codes, shown this once; empty when the account has some already."""

    passkey: PasskeyView
    backup_codes: list[str]


def _view(one: flow.Passkey) -> PasskeyView:
    return PasskeyView(
        id=one.id,
        name=one.name,
        provider=one.provider,
        may_be_synced=one.may_be_synced,
        synced=one.is_synced,
        may_sign_in_alone=one.is_verifying,
        created_at=one.created_at,
        last_used_at=one.last_used_at,
    )


@router.post("/auth/passkeys/register/options")
async def register_options(core: CurrentCore, current: CurrentSession) -> PasskeyOptions:
    """Begin to add a passkey. Wants a fresh sign-in; nothing is stored."""
    return PasskeyOptions(options=await flow.begin(core, current))


@router.post("/auth/passkeys/register")
async def register(
    body: AddPasskeyBody,
    request: Request,
    response: Response,
    core: CurrentCore,
    origin: CurrentOrigin,
    current: CurrentSession,
) -> AddedPasskey:
    """Add a passkey. The session may get another id; the first factor brings backup codes."""
    visit = visit_of(request.scope)
    made, added = await flow.add(core, origin, current.principal, body.response, body.name, held(visit))
    if added.renewed:
        response.raw_headers.extend(session_cookies(visit, *added.renewed))
    return AddedPasskey(passkey=_view(made), backup_codes=[spare.reveal() for spare in added.spares])


@router.get("/auth/passkeys")
async def list_passkeys(core: CurrentCore, current: CurrentSession) -> Passkeys:
    """One's own passkeys."""
    return Passkeys(passkeys=[_view(one) for one in await flow.mine(core, current.principal)])


@router.patch("/auth/passkeys/{passkey_id}")
async def rename(
    passkey_id: PasskeyId,
    body: RenamePasskeyBody,
    core: CurrentCore,
    origin: CurrentOrigin,
    current: CurrentSession,
) -> PasskeyView:
    """Give a passkey another name."""
    return _view(await flow.rename(core, origin, current.principal, passkey_id, body.name))


@router.delete("/auth/passkeys/{passkey_id}", status_code=204)
async def remove(
    passkey_id: PasskeyId, core: CurrentCore, origin: CurrentOrigin, current: CurrentSession
) -> None:
    """Remove a passkey. Wants a fresh sign-in; backup codes go with the last factor."""
    await flow.remove(core, origin, current.principal, passkey_id)


@public_router.post("/auth/passkeys/login/options")
async def login_options(
    request: Request, response: Response, core: CurrentCore, body: OptionsBody | None = None
) -> PasskeyOptions:
    """Ask for any passkey of this site. The same for everybody; the answer counts in this browser alone."""
    visit = visit_of(request.scope)
    delivery = body.delivery if body else COOKIE
    judge_delivery(visit, delivery)
    browser = ""
    if delivery != TOKENS:
        browser, cookie = keep_browser(visit)
        response.raw_headers.append(cookie)
    return PasskeyOptions(options=way.options(core, browser, delivery))


@public_router.post("/auth/passkeys/login", response_model=Login, response_model_exclude_unset=True)
async def login(
    body: PasskeyLoginBody, request: Request, response: Response, core: CurrentCore
) -> dict[str, Any]:
    """Sign in with a passkey. Whatever is wrong with it, the answer is the same as for a wrong password."""
    visit = visit_of(request.scope)
    entry = await begin(visit, remember=body.remember, delivery=body.delivery)
    submission = Submission(body.response, visit.cookies.pre or "", body.delivery)
    outcome = await core.door.enter(entry, PasskeyWay(core), submission)
    found, cookies = answer(visit, outcome, entry.pre_session, body.next)
    response.raw_headers.extend(cookies)
    return found
