"""Owns the account's overview and its security page."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.core.signin.methods import methods_in_words
from ostiary.features.account import flow
from ostiary.http.access import SESSION
from ostiary.http.pages import account_problem, page, query_of
from ostiary.http.routing import Hot
from ostiary.http.shell import HOME, AccountSection
from ostiary.http.visit import visit_of

SECURITY: Final = "/account/security"

_OVERVIEW: Final = f"{__package__}/overview.html"
_SECURITY: Final = f"{__package__}/security.html"
_NOTICES: Final = {
    "password-changed": "Your password is changed. All other devices are signed out.",
}


async def overview(request: Request) -> Response:
    """Who am I, when did I sign in and how, and what else is there."""
    visit = visit_of(request.scope)
    core, current = visit.edge.core, await visit.session()
    latest = await flow.sign_ins(core, current.principal)
    tiles = [
        (section, await section.summary(core, current) if section.summary else "")
        for section in visit.edge.shell.sections
        if section.about
    ]
    return await page(
        visit,
        _OVERVIEW,
        here="overview",
        how=methods_in_words(current.session.amr),
        before=next((one for one in latest if not one.is_current), None),
        tiles=tiles,
    )


async def security(request: Request) -> Response:
    """The ways in which this account signs in, and when it did."""
    visit = visit_of(request.scope)
    core, current = visit.edge.core, await visit.session()
    return await page(
        visit,
        _SECURITY,
        here="security",
        notice=_NOTICES.get(query_of(request, "done"), ""),
        password=await flow.password(core, current.principal),
        sign_ins=await flow.sign_ins(core, current.principal),
    )


SECTIONS: Final = (
    AccountSection("overview", "Overview", 0, HOME),
    AccountSection("security", "Security", 20, SECURITY, "Your ways to sign in, and recent sign-ins."),
)
PAGES: Final = (
    Hot(HOME, ("GET",), overview, SESSION, on_problem=account_problem),
    Hot(SECURITY, ("GET",), security, SESSION, on_problem=account_problem),
)
