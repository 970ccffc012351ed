"""Owns the page on which people read what has happened to their account."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.core.cursor import CURSOR_INVALID
from ostiary.features.activity import flow
from ostiary.http.access import SESSION
from ostiary.http.pages import account_problem, page, query_of, see
from ostiary.http.routing import Hot
from ostiary.http.shell import AccountSection
from ostiary.http.visit import visit_of
from ostiary.kernel.errors import Refused

ACTIVITY: Final = "/account/activity"

_ACTIVITY: Final = f"{__package__}/activity.html"


async def activity(request: Request) -> Response:
    """The latest first; a cursor that is none leads back to the beginning."""
    visit = visit_of(request.scope)
    who = (await visit.session()).principal
    cursor = query_of(request, "cursor")
    try:
        part = await flow.mine(visit.edge.core, who, cursor or None)
    except Refused as refused:
        if refused.code is not CURSOR_INVALID:
            raise
        return see(ACTIVITY)
    return await page(
        visit, _ACTIVITY, here="activity", happenings=part.happenings, next=part.next, is_first=not cursor
    )


SECTION: Final = AccountSection(
    "activity", "Activity", 40, ACTIVITY, "What has happened to your account, and from where."
)
PAGES: Final = (Hot(ACTIVITY, ("GET",), activity, SESSION, on_problem=account_problem),)
