"""Owns the page behind the link "this was not me"."""

from collections.abc import Iterable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.features.alerts import flow
from ostiary.http.access import PUBLIC
from ostiary.http.cookies import Header
from ostiary.http.forms import Form
from ostiary.http.pages import leave_note, page, page_problem, query_of, read_note, see
from ostiary.http.problems import problem_from
from ostiary.http.routing import Hot
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import Refused
from ostiary.kernel.secret import Secret

NOT_ME: Final = flow.PAGE
DONE: Final = "/not-me/done"

_ASK: Final = f"{__package__}/not_me.html"
_SPENT: Final = f"{__package__}/spent.html"
_DONE: Final = f"{__package__}/done.html"
_LINK: Final = "not-me"


async def look(request: Request) -> Response:
    """The page that the link opens: which sign-in it is about, and a button. Whoever looks at it changes nothing."""
    visit = visit_of(request.scope)
    token = query_of(request, "token")[: flow.LONGEST_TOKEN]
    if token:
        return see(NOT_ME, [leave_note(visit, _LINK, token=token)])
    token = read_note(visit, _LINK).get("token", "")
    alert = await flow.look(visit.edge.core, Secret(token))
    if alert is None:
        return await _spent_page(visit)
    return await page(visit, _ASK, token=token, alert=alert)


async def disown(request: Request) -> Response:
    """Shut the account for everybody but whoever reads the mail."""
    visit = visit_of(request.scope)
    token = Form(visit.form).value("token")[: flow.LONGEST_TOKEN]
    try:
        await flow.disown(visit.edge.core, visit.origin, Secret(token))
    except Refused as refused:
        if refused.code is not flow.ALERT_INVALID:
            raise
        return await _spent_page(visit, problem_from(refused, visit).headers)
    return see(DONE)


async def done(request: Request) -> Response:
    """What has happened, and how to get back in."""
    return await page(visit_of(request.scope), _DONE)


async def _spent_page(visit: Visit, headers: Iterable[Header] = ()) -> Response:
    return await page(visit, _SPENT, flow.ALERT_INVALID.status, headers)


PAGES: Final = (
    Hot(NOT_ME, ("GET",), look, PUBLIC, on_problem=page_problem),
    Hot(NOT_ME, ("POST",), disown, PUBLIC, takes_form=True, on_problem=page_problem),
    Hot(DONE, ("GET",), done, PUBLIC, on_problem=page_problem),
)
