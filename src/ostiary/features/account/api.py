"""Owns the JSON routes of one's own account: who am I here, and changing name and profile."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, StrictBool, StrictInt, StrictStr

from ostiary.core.accounts.profile import Profile, ProfileField
from ostiary.core.sessions.sessions import Resolved
from ostiary.core.wiring import Core
from ostiary.features.account import flow
from ostiary.features.account.flow import SignIn
from ostiary.http.access import CurrentOrigin, CurrentSession
from ostiary.http.inputs import CurrentCore, JsonBody

router = APIRouter(tags=["account"])

FieldValue = StrictStr | StrictInt | StrictBool


class FieldView(JsonBody):
    """A profile field that this deployment declares; `longest` is of texts, `least` and `most` are of numbers."""

    name: str
    label: str
    kind: str
    read_only: bool
    longest: int | None = None
    least: int | None = None
    most: int | None = None


class SignInView(JsonBody):
    """A sign-in. `methods` are RFC 8176 values; `place` is null until a geographic database is configured."""

    at: datetime
    methods: list[str]
    device: str
    ip: str
    place: str | None = None


class AccountView(JsonBody):
    """The account, its profile, the fields that there are, this sign-in and the last other one."""

    id: str
    name: str
    email: str | None
    email_verified: bool
    created_at: datetime
    profile: dict[str, FieldValue]
    fields: list[FieldView]
    current_sign_in: SignInView | None
    last_sign_in: SignInView | None


class AccountBody(JsonBody):
    """What to change; what is left out stays. In `profile` null empties a field."""

    name: Annotated[str | None, Field(max_length=1000)] = None
    profile: dict[str, FieldValue | None] = Field(default_factory=dict, max_length=100)


@router.get("/auth/account")
async def read_account(core: CurrentCore, current: CurrentSession) -> AccountView:
    """Who I am here."""
    return await _view(core, current, await flow.find_profile(core, current.principal))


@router.patch("/auth/account")
async def change_account(
    body: AccountBody, core: CurrentCore, origin: CurrentOrigin, current: CurrentSession
) -> AccountView:
    """Change name and profile fields. Anything that is not declared, or is read-only, is refused."""
    changed = await flow.change_profile(core, origin, current.principal, body.name, body.profile)
    return await _view(core, current, changed)


async def _view(core: Core, current: Resolved, profile: Profile) -> AccountView:
    latest = await flow.sign_ins(core, current.principal)
    account = current.account
    return AccountView(
        id=account.id,
        name=profile.name,
        email=account.email,
        email_verified=account.is_email_verified,
        created_at=account.created_at,
        profile=dict(profile.values),
        fields=[_field(field) for field in flow.fields(core)],
        current_sign_in=next((_sign_in(one) for one in latest if one.is_current), None),
        last_sign_in=next((_sign_in(one) for one in latest if not one.is_current), None),
    )


def _field(field: ProfileField) -> FieldView:
    is_text, is_number = field.kind == "text", field.kind == "number"
    return FieldView(
        name=field.name,
        label=field.title,
        kind=field.kind,
        read_only=field.read_only,
        longest=field.longest if is_text else None,
        least=field.least if is_number else None,
        most=field.most if is_number else None,
    )


def _sign_in(one: SignIn) -> SignInView:
    return SignInView(at=one.at, methods=list(one.amr), device=one.device, ip=one.ip)
