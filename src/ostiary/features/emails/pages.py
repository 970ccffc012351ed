"""Owns the pages of an account's e-mail addresses.

Pages whose form needs a fresh sign-in ask for it before the form is shown, so that nobody fills it in for nothing.
Looking at a link spends nothing: its page has a button.
"""

from collections.abc import Iterable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.core.sessions.sessions import Resolved
from ostiary.core.wiring import Core
from ostiary.features.emails import flow
from ostiary.features.emails.flow import ALREADY_YOURS, NEEDED, PROOF_INVALID, TOO_MANY, Listed
from ostiary.features.emails.settings import EmailSettings
from ostiary.http.access import SESSION
from ostiary.http.cookies import Header
from ostiary.http.forms import Form
from ostiary.http.pages import account_problem, page, query_of, see
from ostiary.http.problems import problem_from
from ostiary.http.routing import Hot
from ostiary.http.shell import AccountSection
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import NOT_FOUND, Code, Refused
from ostiary.kernel.principal import Principal
from ostiary.kernel.secret import Secret

EMAILS: Final = "/account/emails"
ADD: Final = "/account/emails/add"
CONFIRM: Final = flow.PAGE
WAITING: Final = "/account/emails/{email_id}"
RESEND: Final = "/account/emails/{email_id}/resend"
PRIMARY: Final = "/account/emails/{email_id}/primary"
REMOVE: Final = "/account/emails/{email_id}/remove"

_EMAILS: Final = f"{__package__}/emails.html"
_ADD: Final = f"{__package__}/add.html"
_CONFIRM: Final = f"{__package__}/confirm.html"
_WAITING: Final = f"{__package__}/waiting.html"
_PRIMARY: Final = f"{__package__}/primary.html"
_REMOVE: Final = f"{__package__}/remove.html"
_NOTICES: Final = {
    "added": "The address is confirmed. You can sign in with it now.",
    "primary": "Your primary address is changed. We have told all of your addresses.",
    "removed": "The address is removed.",
    "forgotten": "We have forgotten that address.",
    "resent": "We have sent another mail.",
}
# Refusals of an address that are said next to the field in which it was typed.
_SAID: Final[tuple[Code, ...]] = (ALREADY_YOURS, TOO_MANY)


async def emails(request: Request) -> Response:
    """The addresses, and what can be done with each."""
    visit = visit_of(request.scope)
    core, who = visit.edge.core, (await visit.session()).principal
    found = await flow.mine(core, who)
    has_room = len(found) < core.settings.of(EmailSettings).emails_per_account
    return await page(visit, _EMAILS, here="emails", emails=found, has_room=has_room, notice=_notice(request))


async def ask_add(request: Request) -> Response:
    """A field for another address."""
    visit = visit_of(request.scope)
    core = visit.edge.core
    await core.factors.require(core.database, (await visit.session()).principal)
    return await page(visit, _ADD, here="emails", form=Form(), limit=flow.LONGEST_EMAIL)


async def add(request: Request) -> Response:
    """Send a mail to it, then wait for the code; the same whoever has the address."""
    visit = visit_of(request.scope)
    who, form = (await visit.session()).principal, Form(visit.form)
    email = form.text("email", flow.LONGEST_EMAIL, missing="Enter an e-mail address.").strip()
    status = 422
    headers: list[Header] = []
    if not form.errors:
        try:
            added = await flow.add(visit.edge.core, visit.origin, who, email)
            return see(WAITING.format(email_id=added))
        except Refused as refused:
            if refused.code in _SAID:
                form.refuse("email", refused.code.title)
            elif not form.blame(refused):
                raise
            status, headers = refused.code.status, problem_from(refused, visit).headers
    return await page(visit, _ADD, status, headers, here="emails", form=form, limit=flow.LONGEST_EMAIL)


async def ask_confirm(request: Request) -> Response:
    """The page that the link opens."""
    visit = visit_of(request.scope)
    token = query_of(request, "token")[: flow.LONGEST_TOKEN]
    return await page(visit, _CONFIRM, here="emails", token=token, is_spent=not token)


async def confirm(request: Request) -> Response:
    """Prove the address by the link."""
    visit = visit_of(request.scope)
    who = (await visit.session()).principal
    token = Form(visit.form).value("token")[: flow.LONGEST_TOKEN]
    try:
        await flow.prove_by_link(visit.edge.core, visit.origin, who, Secret(token))
    except Refused as refused:
        if refused.code is not PROOF_INVALID:
            raise
        headers = problem_from(refused, visit).headers
        return await page(
            visit, _CONFIRM, refused.code.status, headers, here="emails", token="", is_spent=True
        )
    return see(f"{EMAILS}?done=added")


async def waiting(request: Request) -> Response:
    """A field for the code, and a button for another mail; an address that does not wait has no page."""
    visit = visit_of(request.scope)
    one = await _find(visit, (await visit.session()).principal, request)
    if one.verified_at is not None:
        return see(EMAILS)
    return await _waiting_page(visit, one, Form(), notice=_notice(request))


async def verify(request: Request) -> Response:
    """Prove the address by the code."""
    visit = visit_of(request.scope)
    who, form = (await visit.session()).principal, Form(visit.form)
    one = await _find(visit, who, request)
    code = form.text("code", flow.LONGEST_CODE, missing="Enter the code from the mail.")
    if form.errors:
        return await _waiting_page(visit, one, form, 422)
    try:
        await flow.prove_by_code(visit.edge.core, visit.origin, who, one.id, code)
    except Refused as refused:
        if refused.code is not PROOF_INVALID:
            raise
        form.refuse("code", "This code does not work. It may be wrong, too old, or a newer one was sent.")
        headers = problem_from(refused, visit).headers
        return await _waiting_page(visit, one, form, refused.code.status, headers)
    return see(f"{EMAILS}?done=added")


async def back(request: Request) -> Response:
    """Whoever comes back here after signing in goes to the page with the button."""
    return see(WAITING.format(email_id=request.path_params["email_id"]))


async def resend(request: Request) -> Response:
    """Send the mail again."""
    visit = visit_of(request.scope)
    who, email_id = (await visit.session()).principal, request.path_params["email_id"]
    await flow.resend(visit.edge.core, visit.origin, who, email_id)
    return see(WAITING.format(email_id=email_id) + "?done=resent")


async def ask_primary(request: Request) -> Response:
    """Asks whether to make an address the primary one."""
    visit = visit_of(request.scope)
    who = (await visit.session()).principal
    one = await _find(visit, who, request)
    await visit.edge.core.factors.require(visit.edge.core.database, who)
    if one.verified_at is None or one.is_primary:
        return see(EMAILS)
    return await page(visit, _PRIMARY, here="emails", email=one)


async def make_primary(request: Request) -> Response:
    """Make it the primary one."""
    visit = visit_of(request.scope)
    who = (await visit.session()).principal
    await flow.make_primary(visit.edge.core, visit.origin, who, request.path_params["email_id"])
    return see(f"{EMAILS}?done=primary")


async def ask_remove(request: Request) -> Response:
    """Asks whether to remove an address."""
    visit = visit_of(request.scope)
    who = (await visit.session()).principal
    one = await _find(visit, who, request)
    await visit.edge.core.factors.require(visit.edge.core.database, who)
    return await page(visit, _REMOVE, here="emails", email=one, is_needed=one.is_primary)


async def remove(request: Request) -> Response:
    """Remove it."""
    visit = visit_of(request.scope)
    who = (await visit.session()).principal
    one = await _find(visit, who, request)
    try:
        await flow.remove(visit.edge.core, visit.origin, who, one.id)
    except Refused as refused:
        if refused.code is not NEEDED:
            raise
        return await page(visit, _REMOVE, refused.code.status, here="emails", email=one, is_needed=True)
    return see(f"{EMAILS}?done={'removed' if one.verified_at else 'forgotten'}")


async def _find(visit: Visit, who: Principal, request: Request) -> Listed:
    for one in await flow.mine(visit.edge.core, who):
        if one.id == request.path_params["email_id"]:
            return one
    raise Refused(NOT_FOUND, "no such address of this account")


def _notice(request: Request) -> str:
    return _NOTICES.get(query_of(request, "done"), "")


async def _waiting_page(
    visit: Visit, one: Listed, form: Form, status: int = 200, headers: Iterable[Header] = (), **more: Any
) -> Response:
    return await page(visit, _WAITING, status, headers, here="emails", email=one, form=form, **more)


async def _summary(core: Core, current: Resolved) -> str:
    found = await flow.mine(core, current.principal)
    waiting = sum(one.expires_at is not None for one in found)
    words = "One address" if len(found) - waiting == 1 else f"{len(found) - waiting} addresses"
    return f"{words}, {waiting} waiting for confirmation" if waiting else words


SECTION: Final = AccountSection(
    "emails", "E-mail", 15, EMAILS, "Addresses that you sign in with, and that we write to.", summary=_summary
)
PAGES: Final = (
    Hot(EMAILS, ("GET",), emails, SESSION, on_problem=account_problem),
    Hot(ADD, ("GET",), ask_add, SESSION, on_problem=account_problem),
    Hot(ADD, ("POST",), add, SESSION, takes_form=True, on_problem=account_problem),
    Hot(CONFIRM, ("GET",), ask_confirm, SESSION, on_problem=account_problem),
    Hot(CONFIRM, ("POST",), confirm, SESSION, takes_form=True, on_problem=account_problem),
    Hot(WAITING, ("GET",), waiting, SESSION, on_problem=account_problem),
    Hot(WAITING, ("POST",), verify, SESSION, takes_form=True, on_problem=account_problem),
    Hot(RESEND, ("GET",), back, SESSION, on_problem=account_problem),
    Hot(RESEND, ("POST",), resend, SESSION, takes_form=True, on_problem=account_problem),
    Hot(PRIMARY, ("GET",), ask_primary, SESSION, on_problem=account_problem),
    Hot(PRIMARY, ("POST",), make_primary, SESSION, takes_form=True, on_problem=account_problem),
    Hot(REMOVE, ("GET",), ask_remove, SESSION, on_problem=account_problem),
    Hot(REMOVE, ("POST",), remove, SESSION, takes_form=True, on_problem=account_problem),
)
