"""Owns the JSON route that lists second factors."""

from datetime import datetime

from fastapi import APIRouter

from ostiary.http.access import CurrentSession
from ostiary.http.inputs import CurrentCore, JsonBody

router = APIRouter(tags=["second factors"])


class EnrolledFactor(JsonBody):
    """One thing that is enrolled. `id` is null for a factor that an account has once, such as its backup codes.

    `remaining` says how often it still works, where that is limited.
    """

    factor: str
    id: str | None
    name: str
    created_at: datetime
    last_used_at: datetime | None
    remaining: int | None


class EnrolledFactors(JsonBody):
    """Whether signing in takes a second step, and all that can be it.

    `required`: the account may not be without one. `missing_from`: it is, and cannot sign in that way from then on.
    """

    enabled: bool
    required: bool
    missing_from: datetime | None
    factors: list[EnrolledFactor]


@router.get("/auth/mfa")
async def list_factors(core: CurrentCore, current: CurrentSession) -> EnrolledFactors:
    """What this account has enrolled, in the order in which it is offered. No secret is among it."""
    account_id = current.principal.account_id
    found = await core.factors.listing(core.database, account_id)
    return EnrolledFactors(
        enabled=bool(found),
        required=await core.factors.requirement.concerns(core.database, account_id),
        missing_from=await core.factors.missing_from(core.database, account_id),
        factors=[
            EnrolledFactor(
                factor=one.factor,
                id=one.id or None,
                name=one.name,
                created_at=one.created_at,
                last_used_at=one.last_used_at,
                remaining=one.remaining,
            )
            for one in found
        ],
    )
