"""Owns the pages on which people see which devices are spared the second step, and have them asked again."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.core.sessions.sessions import Resolved
from ostiary.core.wiring import Core
from ostiary.features.trusted_devices import flow
from ostiary.http.access import SESSION
from ostiary.http.pages import account_problem, page, query_of, see
from ostiary.http.routing import Hot
from ostiary.http.shell import AccountSection
from ostiary.http.visit import visit_of
from ostiary.kernel.errors import NOT_FOUND, Refused

DEVICES: Final = "/account/trusted-devices"
FORGET: Final = "/account/trusted-devices/{device_id}/forget"
FORGET_ALL: Final = "/account/trusted-devices/forget-all"
_SECTION: Final = "trusted_devices"

_DEVICES: Final = f"{__package__}/devices.html"
_FORGET: Final = f"{__package__}/forget.html"
_FORGET_ALL: Final = f"{__package__}/forget_all.html"
_NOTICES: Final = {
    "forgotten": "That device will be asked for the second step again.",
    "all-forgotten": "Every device will be asked for the second step again.",
}


async def devices(request: Request) -> Response:
    """Which devices this account trusts."""
    visit = visit_of(request.scope)
    current = await visit.session()
    core = visit.edge.core
    found = await flow.mine(core, current.principal, visit.cookies.trust)
    is_offered = await core.door.trust.is_offered(core.database, current.account.id)
    notice = _NOTICES.get(query_of(request, "done"), "")
    return await page(visit, _DEVICES, here=_SECTION, devices=found, is_offered=is_offered, notice=notice)


async def ask_forget(request: Request) -> Response:
    """Asks whether to forget a device; somebody else's is not found."""
    visit = visit_of(request.scope)
    current = await visit.session()
    wanted = request.path_params["device_id"]
    for device in await flow.mine(visit.edge.core, current.principal, visit.cookies.trust):
        if device.id == wanted:
            return await page(visit, _FORGET, here=_SECTION, device=device)
    raise Refused(NOT_FOUND, "no such device of this account")


async def forget(request: Request) -> Response:
    """Forget a device."""
    visit = visit_of(request.scope)
    current = await visit.session()
    await flow.forget(visit.edge.core, visit.origin, current.principal, request.path_params["device_id"])
    return see(f"{DEVICES}?done=forgotten")


async def ask_forget_all(request: Request) -> Response:
    """Asks whether to forget all devices."""
    visit = visit_of(request.scope)
    current = await visit.session()
    found = await flow.mine(visit.edge.core, current.principal, visit.cookies.trust)
    return await page(visit, _FORGET_ALL, here=_SECTION, count=len(found))


async def forget_all(request: Request) -> Response:
    """Forget all devices."""
    visit = visit_of(request.scope)
    current = await visit.session()
    await flow.forget_all(visit.edge.core, visit.origin, current.principal)
    return see(f"{DEVICES}?done=all-forgotten")


async def _summary(core: Core, current: Resolved) -> str:
    count = len(await flow.mine(core, current.principal, None))
    return "None" if not count else "1 device" if count == 1 else f"{count} devices"


SECTION: Final = AccountSection(
    _SECTION,
    "Trusted devices",
    27,
    DEVICES,
    "See where you sign in without a second step.",
    summary=_summary,
)
PAGES: Final = (
    Hot(DEVICES, ("GET",), devices, SESSION, on_problem=account_problem),
    Hot(FORGET_ALL, ("GET",), ask_forget_all, SESSION, on_problem=account_problem),
    Hot(FORGET_ALL, ("POST",), forget_all, SESSION, takes_form=True, on_problem=account_problem),
    Hot(FORGET, ("GET",), ask_forget, SESSION, on_problem=account_problem),
    Hot(FORGET, ("POST",), forget, SESSION, takes_form=True, on_problem=account_problem),
)
