"""Owns the pages on which people add an authenticator app, step by step, and remove one."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.features.totp import flow
from ostiary.features.totp.flow import TOTP_CODE_WRONG, Enrolment
from ostiary.features.totp.qr import qr_svg
from ostiary.http.access import SESSION
from ostiary.http.csrf import csrf_token
from ostiary.http.entrance import session_cookies
from ostiary.http.forms import Form
from ostiary.http.pages import account_problem, page, see
from ostiary.http.routing import Hot
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import INVALID_REQUEST, NOT_FOUND, Refused

FACTORS: Final = "/account/factors"
NEW: Final = "/account/factors/totp/new"
ONE: Final = "/account/factors/totp/{totp_id}"
REMOVE: Final = "/account/factors/totp/{totp_id}/remove"

_NEW: Final = f"{__package__}/new.html"
_CONFIRM: Final = f"{__package__}/confirm.html"
_REMOVE: Final = f"{__package__}/remove.html"


async def new(request: Request) -> Response:
    """Says what is going to happen, and asks how to call the app."""
    visit = visit_of(request.scope)
    current = await visit.session()
    await visit.edge.core.factors.require(visit.edge.core.database, current.principal)
    return await _new_page(visit, Form())


async def begin(request: Request) -> Response:
    """Make a secret, and go to where it is shown."""
    visit = visit_of(request.scope)
    current, form = await visit.session(), Form(visit.form)
    try:
        made = await flow.begin(visit.edge.core, visit.origin, current, form.value("name"))
    except Refused as refused:
        if refused.code is INVALID_REQUEST and form.blame(refused):
            return await _new_page(visit, form, 422)
        raise
    return see(f"{FACTORS}/totp/{made.id}")


async def ask(request: Request) -> Response:
    """Shows the secret of an app that waits, as picture and text, and asks for its first code."""
    visit = visit_of(request.scope)
    current = await visit.session()
    made = await flow.waiting(visit.edge.core, current, request.path_params["totp_id"])
    return await _confirm_page(visit, Form(), made)


async def confirm(request: Request) -> Response:
    """Let the app count; backup codes that came along are shown now and never again."""
    visit = visit_of(request.scope)
    core, current, form = visit.edge.core, await visit.session(), Form(visit.form)
    totp_id = request.path_params["totp_id"]
    made = await flow.waiting(core, current, totp_id)
    typed = form.text("code", flow.LONGEST_CODE, missing="Enter the code from the app.")
    if form.errors:
        return await _confirm_page(visit, form, made, 422)
    try:
        added = await flow.confirm(core, visit.origin, current.principal, totp_id, typed)
    except Refused as refused:
        if refused.code is not TOTP_CODE_WRONG:
            raise
        form.refuse(
            "code", "This code is not right. Wait for the next one, and look at the clock of your phone."
        )
        return await _confirm_page(visit, form, made, 422)
    cookies = session_cookies(visit, *added.renewed) if added.renewed else []
    if not added.spares:
        return see(f"{FACTORS}?done=added", cookies)
    session = added.renewed[0] if added.renewed else current.session
    return await page(
        visit,
        "codes.html",
        headers=cookies,
        here="factors",
        csrf=csrf_token(core.ring, session.id),
        added="The app was added.",
        codes=[one.reveal() for one in added.spares],
    )


async def ask_remove(request: Request) -> Response:
    """Asks whether to remove an app."""
    visit = visit_of(request.scope)
    core, current = visit.edge.core, await visit.session()
    await core.factors.require(core.database, current.principal)
    listed = await core.factors.listing(core.database, current.principal.account_id)
    wanted = request.path_params["totp_id"]
    found = next((one for one in listed if one.factor == "totp" and one.id == wanted), None)
    if found is None:
        raise Refused(NOT_FOUND, "no such app of this account")
    own = await core.factors.own(core.database, current.principal.account_id)
    is_last = sum(one.factor in own for one in listed) == 1
    stays = is_last and await core.factors.requirement.concerns(core.database, current.principal.account_id)
    return await page(visit, _REMOVE, here="factors", one=found, is_last=is_last, stays=stays)


async def remove(request: Request) -> Response:
    """Remove an app."""
    visit = visit_of(request.scope)
    current = await visit.session()
    await flow.remove(visit.edge.core, visit.origin, current.principal, request.path_params["totp_id"])
    return see(f"{FACTORS}?done=removed")


async def _new_page(visit: Visit, form: Form, status: int = 200) -> Response:
    return await page(visit, _NEW, status, here="factors", form=form, limit=flow.LONGEST_NAME)


async def _confirm_page(visit: Visit, form: Form, made: Enrolment, status: int = 200) -> Response:
    return await page(
        visit,
        _CONFIRM,
        status,
        here="factors",
        form=form,
        totp_id=made.id,
        picture=qr_svg(made.uri),
        secret=made.secret.reveal(),
        uri=made.uri.reveal(),
        limit=flow.LONGEST_CODE,
    )


PAGES: Final = (
    Hot(NEW, ("GET",), new, SESSION, on_problem=account_problem),
    Hot(NEW, ("POST",), begin, SESSION, takes_form=True, on_problem=account_problem),
    Hot(ONE, ("GET",), ask, SESSION, on_problem=account_problem),
    Hot(ONE, ("POST",), confirm, SESSION, takes_form=True, on_problem=account_problem),
    Hot(REMOVE, ("GET",), ask_remove, SESSION, on_problem=account_problem),
    Hot(REMOVE, ("POST",), remove, SESSION, takes_form=True, on_problem=account_problem),
)
