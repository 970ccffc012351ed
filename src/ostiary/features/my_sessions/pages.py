"""Owns the pages on which people see where they are signed in, and end what they do not know."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.core.sessions.sessions import Resolved
from ostiary.core.wiring import Core
from ostiary.features.my_sessions import flow
from ostiary.http.access import SESSION
from ostiary.http.pages import account_problem, page, query_of, see
from ostiary.http.routing import Hot
from ostiary.http.shell import AccountSection
from ostiary.http.visit import visit_of
from ostiary.kernel.errors import NOT_FOUND, Refused

SESSIONS: Final = "/account/sessions"
END: Final = "/account/sessions/{session_id}/end"
END_OTHERS: Final = "/account/sessions/end-others"

_SESSIONS: Final = f"{__package__}/sessions.html"
_END: Final = f"{__package__}/end.html"
_END_OTHERS: Final = f"{__package__}/end_others.html"
_NOTICES: Final = {
    "ended": "That device is signed out.",
    "others-ended": "All other devices are signed out.",
}


async def sessions(request: Request) -> Response:
    """Where this account is signed in."""
    visit = visit_of(request.scope)
    current = await visit.session()
    found = await flow.mine(visit.edge.core, current.principal)
    # This device first, then whatever was used last.
    found.sort(key=lambda one: (one.id == current.session.id, one.last_seen_at), reverse=True)
    notice = _NOTICES.get(query_of(request, "done"), "")
    return await page(visit, _SESSIONS, here="sessions", sessions=found, notice=notice)


async def ask_end(request: Request) -> Response:
    """Asks whether to sign a device out; somebody else's session is not found."""
    visit = visit_of(request.scope)
    current = await visit.session()
    wanted = request.path_params["session_id"]
    for session in await flow.mine(visit.edge.core, current.principal):
        if session.id == wanted and session.id != current.session.id:
            return await page(visit, _END, here="sessions", session=session)
    raise Refused(NOT_FOUND, "no such other session of this account")


async def end(request: Request) -> Response:
    """Sign a device out."""
    visit = visit_of(request.scope)
    current = await visit.session()
    await flow.end(visit.edge.core, visit.origin, current.principal, request.path_params["session_id"])
    return see(f"{SESSIONS}?done=ended")


async def ask_end_others(request: Request) -> Response:
    """Asks whether to sign all other devices out."""
    visit = visit_of(request.scope)
    current = await visit.session()
    others = len(await flow.mine(visit.edge.core, current.principal)) - 1
    return await page(visit, _END_OTHERS, here="sessions", others=others)


async def end_others(request: Request) -> Response:
    """Sign all other devices out."""
    visit = visit_of(request.scope)
    current = await visit.session()
    await flow.end_others(visit.edge.core, visit.origin, current.principal)
    return see(f"{SESSIONS}?done=others-ended")


async def _summary(core: Core, current: Resolved) -> str:
    count = len(await flow.mine(core, current.principal))
    return "Signed in on this device only" if count == 1 else f"Signed in on {count} devices"


SECTION: Final = AccountSection(
    "sessions", "Devices", 30, SESSIONS, "See where you are signed in.", summary=_summary
)
PAGES: Final = (
    Hot(SESSIONS, ("GET",), sessions, SESSION, on_problem=account_problem),
    Hot(END_OTHERS, ("GET",), ask_end_others, SESSION, on_problem=account_problem),
    Hot(END_OTHERS, ("POST",), end_others, SESSION, takes_form=True, on_problem=account_problem),
    Hot(END, ("GET",), ask_end, SESSION, on_problem=account_problem),
    Hot(END, ("POST",), end, SESSION, takes_form=True, on_problem=account_problem),
)
