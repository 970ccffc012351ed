"""Owns the pages on which people have their account deleted, and learn until when they can undo it."""

from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.features.deletion import flow
from ostiary.features.deletion.settings import DeletionSettings
from ostiary.http.access import PUBLIC, SESSION
from ostiary.http.entrance import take_back
from ostiary.http.pages import LOGIN, account_problem, leave_note, page, page_problem, read_note, see
from ostiary.http.routing import Hot
from ostiary.http.visit import visit_of

DELETE: Final = "/account/delete"
REQUESTED: Final = "/account/delete/done"

_DELETE: Final = f"{__package__}/delete.html"
_REQUESTED: Final = f"{__package__}/requested.html"
_NOTE: Final = "deletion"


async def ask(request: Request) -> Response:
    """Asks whether to, and says what will happen."""
    visit = visit_of(request.scope)
    core, who = visit.edge.core, (await visit.session()).principal
    await core.factors.require(core.database, who)
    grace = core.settings.of(DeletionSettings).deletion_grace
    return await page(visit, _DELETE, here="overview", due=core.world.now() + grace)


async def delete(request: Request) -> Response:
    """Ask for it; the page after it is for whoever is signed out."""
    visit = visit_of(request.scope)
    due = await flow.request(visit.edge.core, visit.origin, (await visit.session()).principal)
    note = leave_note(visit, _NOTE, due=due.timestamp())
    return see(REQUESTED, [*take_back(visit), note])


async def requested(request: Request) -> Response:
    """Until when it can be undone, for whoever has just asked for it."""
    visit = visit_of(request.scope)
    told = read_note(visit, _NOTE).get("due")
    due = datetime.fromtimestamp(told, visit.edge.core.world.now().tzinfo) if told else None
    login = LOGIN if visit.edge.shell.has(LOGIN) else ""
    return await page(visit, _REQUESTED, due=due, login=login)


PAGES: Final = (
    Hot(DELETE, ("GET",), ask, SESSION, on_problem=account_problem),
    Hot(DELETE, ("POST",), delete, SESSION, takes_form=True, on_problem=account_problem),
    Hot(REQUESTED, ("GET",), requested, PUBLIC, on_problem=page_problem),
)
