"""Owns the page on which people have everything that is kept about them."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.features.export.api import download
from ostiary.http.access import SESSION
from ostiary.http.pages import account_problem, page
from ostiary.http.routing import Hot
from ostiary.http.shell import AccountSection
from ostiary.http.visit import visit_of

EXPORT: Final = "/account/export"

_EXPORT: Final = f"{__package__}/export.html"


async def ask(request: Request) -> Response:
    """What it is, and a button."""
    return await page(visit_of(request.scope), _EXPORT, here="export")


async def send(request: Request) -> Response:
    """The document, as a file."""
    return await download(visit_of(request.scope))


SECTION: Final = AccountSection(
    "export", "Your data", 50, EXPORT, "Download everything that is kept about you."
)
PAGES: Final = (
    Hot(EXPORT, ("GET",), ask, SESSION, on_problem=account_problem),
    Hot(EXPORT, ("POST",), send, SESSION, takes_form=True, on_problem=account_problem),
)
