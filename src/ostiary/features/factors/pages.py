"""Owns the page that shows what an account has enrolled as a second step."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.core.sessions.sessions import Resolved
from ostiary.core.wiring import Core
from ostiary.http.access import SESSION
from ostiary.http.pages import account_problem, page, query_of
from ostiary.http.routing import Hot
from ostiary.http.shell import AccountSection
from ostiary.http.visit import visit_of

FACTORS: Final = "/account/factors"

_FACTORS: Final = f"{__package__}/factors.html"
_NOTICES: Final = {"added": "The app was added.", "removed": "The app was removed."}


async def factors(request: Request) -> Response:
    """What is enrolled, and the ways to more of it."""
    visit = visit_of(request.scope)
    core, account_id = visit.edge.core, (await visit.session()).principal.account_id
    found = await core.factors.listing(core.database, account_id)
    own = await core.factors.own(core.database, account_id)
    is_required = await core.factors.requirement.concerns(core.database, account_id)
    return await page(
        visit,
        _FACTORS,
        here="factors",
        factors=found,
        # The last one that stands on its own stays where one is required.
        stays=is_required and sum(one.factor in own for one in found) == 1,
        notice=_NOTICES.get(query_of(request, "done"), ""),
    )


async def _summary(core: Core, current: Resolved) -> str:
    is_on = await core.factors.own(core.database, current.account.id)
    return "On" if is_on else "Off"


SECTION: Final = AccountSection(
    "factors", "Two-step sign-in", 25, FACTORS, "Ask for a second step when you sign in.", summary=_summary
)
PAGES: Final = (Hot(FACTORS, ("GET",), factors, SESSION, on_problem=account_problem),)
