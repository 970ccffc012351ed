"""Owns the page that makes new backup codes."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.features.backup_codes import flow
from ostiary.features.backup_codes.factor import BackupCodes
from ostiary.http.access import SESSION
from ostiary.http.enrolled import SECTION, show_codes
from ostiary.http.pages import account_problem, page
from ostiary.http.routing import Hot
from ostiary.http.shell import FactorPage
from ostiary.http.visit import visit_of

NEW: Final = "/account/factors/backup-codes"

PAGE: Final = FactorPage(
    BackupCodes.name, "Backup codes", "Make new codes", NEW, is_single=True, is_spare=True
)

_ASK: Final = f"{__package__}/ask.html"


async def ask(request: Request) -> Response:
    """Asks whether all older codes shall go."""
    visit = visit_of(request.scope)
    current = await visit.session()
    await visit.edge.core.factors.require(visit.edge.core.database, current.principal)
    return await page(visit, _ASK, here=SECTION)


async def replace(request: Request) -> Response:
    """Make new codes, and show them this once."""
    visit = visit_of(request.scope)
    current = await visit.session()
    made = await flow.replace(visit.edge.core, visit.origin, current.principal)
    return await show_codes(visit, made)


PAGES: Final = (
    Hot(NEW, ("GET",), ask, SESSION, on_problem=account_problem),
    Hot(NEW, ("POST",), replace, SESSION, takes_form=True, on_problem=account_problem),
)
