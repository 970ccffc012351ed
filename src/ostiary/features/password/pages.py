"""Owns the pages for who forgot a password: ask for the mail, look for it, and choose a new password by its link.

Looking at the link's page spends nothing (scanners follow links). The token leaves the page's address at once: a
redirect takes it into a sealed cookie, from there it goes into the form.
"""

from collections.abc import Iterable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.features.password import history, recovery
from ostiary.features.password.events import RESET_INVALID
from ostiary.features.password.settings import RecoverySettings
from ostiary.http.access import PUBLIC
from ostiary.http.cookies import Header
from ostiary.http.forms import Form, rules_in_words
from ostiary.http.pages import leave_note, page, page_problem, query_of, read_note, see
from ostiary.http.problems import problem_from
from ostiary.http.routing import Hot
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import Refused
from ostiary.kernel.secret import Secret

RECOVER: Final = "/recover"
SENT: Final = "/recover/sent"
RESET: Final = recovery.PAGE
DONE: Final = "/recover/done"

_RECOVER: Final = f"{__package__}/recover.html"
_SENT: Final = f"{__package__}/sent.html"
_RESET: Final = f"{__package__}/reset.html"
_DONE: Final = f"{__package__}/done.html"
_MAILED: Final = "recover"
_LINK: Final = "reset"


async def ask(request: Request) -> Response:
    """A field for the address, and a button for the mail."""
    return await _ask_page(visit_of(request.scope), Form())


async def forgot(request: Request) -> Response:
    """Have the mail sent if the address may have one; the answer does not tell."""
    visit = visit_of(request.scope)
    form = Form(visit.form)
    email = form.text("email", recovery.LONGEST_EMAIL, missing="Enter your e-mail address.").strip()
    if form.errors:
        return await _ask_page(visit, form, 422)
    try:
        await recovery.forgot(visit.edge.core, visit.origin, email)
    except Refused as refused:
        if form.blame(refused):
            return await _ask_page(visit, form, refused.code.status)
        raise
    return see(SENT, [leave_note(visit, _MAILED, email=email)])


async def sent(request: Request) -> Response:
    """Look for the mail. The address comes by a sealed cookie, never in the page's own address."""
    visit = visit_of(request.scope)
    return await page(visit, _SENT, email=read_note(visit, _MAILED).get("email", ""))


async def choose(request: Request) -> Response:
    """The page that the link opens: a field for the new password. It spends nothing, whoever looks at it."""
    visit = visit_of(request.scope)
    token = query_of(request, "token")[: recovery.LONGEST_TOKEN]
    if token:
        return see(RESET, [leave_note(visit, _LINK, token=token)])
    return await _reset_page(visit, Form(), read_note(visit, _LINK).get("token", ""))


async def reset(request: Request) -> Response:
    """Set the new password; what is wrong with it is said next to its field, and the link stays good."""
    visit = visit_of(request.scope)
    form = Form(visit.form)
    token = form.value("token")[: recovery.LONGEST_TOKEN]
    password = form.secret("new_password", missing="Choose a password.")
    if form.errors:
        return await _reset_page(visit, form, token, 422)
    try:
        await recovery.reset(visit.edge.core, visit.origin, Secret(token), password)
    except Refused as refused:
        headers = problem_from(refused, visit).headers
        if refused.code is RESET_INVALID:
            return await _ask_page(visit, Form(), refused.code.status, headers, is_spent=True)
        if form.blame(refused, "new_password"):
            return await _reset_page(visit, form, token, refused.code.status, headers)
        raise
    return see(DONE)


async def done(request: Request) -> Response:
    """The new password is set; signing in is a step of its own."""
    return await page(visit_of(request.scope), _DONE)


async def _ask_page(
    visit: Visit,
    form: Form,
    status: int = 200,
    headers: Iterable[Header] = (),
    *,
    is_spent: bool = False,
) -> Response:
    return await page(visit, _RECOVER, status, headers, form=form, is_spent=is_spent)


async def _reset_page(
    visit: Visit, form: Form, token: str, status: int = 200, headers: Iterable[Header] = ()
) -> Response:
    core = visit.edge.core
    aim = await recovery.look(core, Secret(token))
    if aim is None:
        return await _ask_page(visit, Form(), RESET_INVALID.status, headers, is_spent=True)
    remembered = core.settings.of(RecoverySettings).password_history if aim.account_id else 0
    return await page(
        visit,
        _RESET,
        status,
        headers,
        form=form,
        token=token,
        email=aim.address.shown,
        rules=(*rules_in_words(core.passwords.rules()), *history.in_words(remembered)),
    )


PAGES: Final = (
    Hot(RECOVER, ("GET",), ask, PUBLIC, on_problem=page_problem),
    Hot(RECOVER, ("POST",), forgot, PUBLIC, takes_form=True, on_problem=page_problem),
    Hot(SENT, ("GET",), sent, PUBLIC, on_problem=page_problem),
    Hot(RESET, ("GET",), choose, PUBLIC, on_problem=page_problem),
    Hot(RESET, ("POST",), reset, PUBLIC, takes_form=True, on_problem=page_problem),
    Hot(DONE, ("GET",), done, PUBLIC, on_problem=page_problem),
)
