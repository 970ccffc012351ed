"""Owns the page on which somebody who is signed in changes the password, or sets the first one."""

from collections.abc import Iterable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.core.accounts import accounts
from ostiary.core.accounts.accounts import INVALID_CREDENTIALS
from ostiary.core.sessions.sessions import Resolved
from ostiary.features.password import flow, history
from ostiary.features.password.settings import RecoverySettings
from ostiary.http.access import SESSION
from ostiary.http.cookies import Header
from ostiary.http.delivery import held
from ostiary.http.entrance import renewed_cookies
from ostiary.http.forms import Form, rules_in_words
from ostiary.http.pages import account_problem, page, query_of, see
from ostiary.http.problems import problem_from
from ostiary.http.routing import Hot
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import Refused

OWN: Final = "/account/password"
SECURITY: Final = "/account/security"

_PAGE: Final = f"{__package__}/password.html"
_CHANGED: Final = "password-changed"


async def password(request: Request) -> Response:
    """The form; whoever has no password to prove must have signed in a moment ago."""
    visit = visit_of(request.scope)
    current = await visit.session()
    notice = "Your password is changed." if query_of(request, "done") == _CHANGED else ""
    return await _password_page(visit, current, Form(), notice=notice)


async def change(request: Request) -> Response:
    """Change it, and go back to the security page with the cookies of the session's new id."""
    visit = visit_of(request.scope)
    current = await visit.session()
    form = Form(visit.form)
    asks = await _asks_for_current(visit, current) or bool(form.value("current_password"))
    typed = form.secret("current_password", missing="Enter your current password.") if asks else None
    new = form.secret("new_password", missing="Choose a password.")
    if form.errors:
        return await _password_page(visit, current, form, 422)
    try:
        done = await flow.change_password(visit.edge.core, visit.origin, current, typed, new, held(visit))
    except Refused as refused:
        headers = problem_from(refused, visit).headers
        if refused.code is INVALID_CREDENTIALS:
            form.refuse("current_password", "This is not your current password.")
            return await _password_page(visit, current, form, refused.code.status, headers)
        if form.blame(refused, "new_password"):
            return await _password_page(visit, current, form, refused.code.status, headers)
        raise
    cookies = renewed_cookies(visit, current.account, done.account, done.session, done.token, done.pair)
    return see(f"{SECURITY if visit.edge.shell.has(SECURITY) else OWN}?done={_CHANGED}", cookies)


async def _asks_for_current(visit: Visit, current: Resolved) -> bool:
    """Whether the page asks for the current password: not within minutes of a sign-in.

    Raises:
        Refused: `fresh_authentication_required`; there is none that could be asked for, or a second factor to show.
    """
    core = visit.edge.core
    await core.factors.require_level(core.database, current.principal)
    try:
        core.sessions.require_fresh(current.principal)
    except Refused:
        if not await flow.can_prove(core.database, current.account.id):
            raise
        return True
    return False


async def _password_page(
    visit: Visit,
    current: Resolved,
    form: Form,
    status: int = 200,
    headers: Iterable[Header] = (),
    notice: str = "",
) -> Response:
    core = visit.edge.core
    has_one = await accounts.password_of(core.database, current.account.id) is not None
    remembered = core.settings.of(RecoverySettings).password_history if has_one else 0
    return await page(
        visit,
        _PAGE,
        status,
        headers,
        here="security",
        form=form,
        asks=await _asks_for_current(visit, current),
        has_one=has_one,
        rules=(*rules_in_words(core.passwords.rules()), *history.in_words(remembered)),
        notice=notice,
    )


PAGES: Final = (
    Hot(OWN, ("GET",), password, SESSION, on_problem=account_problem),
    Hot(OWN, ("POST",), change, SESSION, takes_form=True, on_problem=account_problem),
)
