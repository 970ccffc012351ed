"""Owns the page that shows what an account has enrolled as a second step."""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.core.sessions.sessions import Resolved
from ostiary.core.wiring import Core
from ostiary.http.access import SESSION
from ostiary.http.enrolled import FACTORS, SECTION
from ostiary.http.pages import account_problem, page, query_of
from ostiary.http.routing import Hot
from ostiary.http.shell import AccountSection, FactorPage
from ostiary.http.visit import visit_of

_FACTORS: Final = f"{__package__}/factors.html"


async def factors(request: Request) -> Response:
    """What is enrolled, and the ways to more of it."""
    visit = visit_of(request.scope)
    core, account_id = visit.edge.core, (await visit.session()).principal.account_id
    found = await core.factors.listing(core.database, account_id)
    kinds = {one.name: one for one in visit.edge.shell.factor_pages}
    there = {one.factor for one in found}
    offered = [
        one
        for one in kinds.values()
        if one.is_open(core) and not (one.is_single and one.name in there) and (found or not one.is_spare)
    ]
    return await page(
        visit,
        _FACTORS,
        here=SECTION,
        factors=found,
        kinds=kinds,
        offered=offered,
        stays=await core.factors.must_stay(core.database, account_id),
        notice=_notice(request, kinds),
    )


def _notice(request: Request, kinds: Mapping[str, FactorPage]) -> str:
    """What was done on the page before; nothing of the address but the name of a kind is believed."""
    for word, said in (("added", "Added"), ("removed", "Removed")):
        kind = kinds.get(query_of(request, word))
        if kind is not None:
            return f"{said}: {kind.title.lower()}."
    return ""


async def _summary(core: Core, current: Resolved) -> str:
    is_on = await core.factors.own(core.database, current.account.id)
    return "On" if is_on else "Off"


ACCOUNT_SECTION: Final = AccountSection(
    SECTION, "Two-step sign-in", 25, FACTORS, "Ask for a second step when you sign in.", summary=_summary
)
PAGES: Final = (Hot(FACTORS, ("GET",), factors, SESSION, on_problem=account_problem),)
