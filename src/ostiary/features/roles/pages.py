"""Owns the page on which people read what they may do."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.features.roles import flow, people
from ostiary.http.access import SESSION
from ostiary.http.pages import account_problem, page
from ostiary.http.routing import Hot
from ostiary.http.shell import AccountSection
from ostiary.http.visit import visit_of

ROLES: Final = "/account/roles"


async def roles(request: Request) -> Response:
    """The roles of whoever asks."""
    visit = visit_of(request.scope)
    core, who = visit.edge.core, (await visit.session()).principal
    held, may_manage = await flow.mine(core, who), await people.may_manage(core, who)
    return await page(visit, f"{__package__}/roles.html", here="roles", held=held, may_manage=may_manage)


SECTION: Final = AccountSection("roles", "Roles", 50, ROLES, "What your account may do here, and until when.")
PAGES: Final = (Hot(ROLES, ("GET",), roles, SESSION, on_problem=account_problem),)
