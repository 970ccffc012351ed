"""Owns the page behind a claim link: it has a button and spends nothing by being looked at."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.features.claim import flow
from ostiary.features.claim.flow import CLAIM_INVALID
from ostiary.http.access import SESSION
from ostiary.http.forms import Form
from ostiary.http.pages import account_problem, page, query_of, see
from ostiary.http.problems import problem_from
from ostiary.http.routing import Hot
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import Refused
from ostiary.kernel.secret import Secret

DONE: Final = f"{flow.PAGE}/done"

_CLAIM: Final = f"{__package__}/claim.html"
_DONE: Final = f"{__package__}/done.html"


async def ask(request: Request) -> Response:
    """Asks whether this account shall be the administrator."""
    return await _ask(visit_of(request.scope), query_of(request, "token"))


async def claim(request: Request) -> Response:
    """Makes it the administrator."""
    visit = visit_of(request.scope)
    token = Form(visit.form).value("token")
    who = (await visit.session()).principal
    try:
        await flow.claim(visit.edge.core, visit.origin, who, Secret(token[: flow.LONGEST_TOKEN]))
    except Refused as refused:
        if refused.code is not CLAIM_INVALID:
            raise
        return await page(
            visit, _CLAIM, refused.code.status, problem_from(refused, visit).headers, token="", is_spent=True
        )
    return see(DONE)


async def done(request: Request) -> Response:
    """It is done, and where to go now."""
    return await page(visit_of(request.scope), _DONE)


async def _ask(visit: Visit, token: str) -> Response:
    return await page(visit, _CLAIM, token=token[: flow.LONGEST_TOKEN], is_spent=not token)


PAGES: Final = (
    Hot(flow.PAGE, ("GET",), ask, SESSION, on_problem=account_problem),
    Hot(flow.PAGE, ("POST",), claim, SESSION, takes_form=True, on_problem=account_problem),
    Hot(DONE, ("GET",), done, SESSION, on_problem=account_problem),
)
