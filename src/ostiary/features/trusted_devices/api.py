"""Owns the JSON routes of one's own trusted devices."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request

from ostiary.features.trusted_devices import flow
from ostiary.http.access import CurrentOrigin, CurrentSession
from ostiary.http.inputs import CurrentCore, JsonBody
from ostiary.http.visit import visit_of

router = APIRouter(tags=["trusted devices"])


class TrustedDevice(JsonBody):
    """One browser in which signing in takes one step, until `expires_at`. `last_used_at`: when it last did, or null."""

    id: str
    current: bool
    device: str
    browser: str
    ip: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class TrustedDevices(JsonBody):
    """The latest first."""

    trusted_devices: list[TrustedDevice]


class Ended(JsonBody):
    """How many devices are asked for the second step again."""

    ended: int


@router.get("/auth/trusted-devices")
async def list_trusted_devices(
    request: Request, core: CurrentCore, current: CurrentSession
) -> TrustedDevices:
    """Where this account signs in without the second step."""
    cookie = visit_of(request.scope).cookies.trust
    return TrustedDevices(
        trusted_devices=[
            TrustedDevice(
                id=one.id,
                current=one.is_current,
                device=one.device,
                browser=one.browser,
                ip=one.ip,
                created_at=one.created_at,
                expires_at=one.expires_at,
                last_used_at=one.last_used_at,
            )
            for one in await flow.mine(core, current.principal, cookie)
        ]
    )


@router.delete("/auth/trusted-devices/{device_id}", status_code=204)
async def forget_trusted_device(
    device_id: Annotated[str, Path(max_length=64)],
    core: CurrentCore,
    origin: CurrentOrigin,
    current: CurrentSession,
) -> None:
    """Forget one device; from its next sign-in on it is asked for the second step."""
    await flow.forget(core, origin, current.principal, device_id)


@router.delete("/auth/trusted-devices")
async def forget_trusted_devices(core: CurrentCore, origin: CurrentOrigin, current: CurrentSession) -> Ended:
    """Forget all devices, this one too."""
    return Ended(ended=await flow.forget_all(core, origin, current.principal))
