"""Owns the pages on which people add an authenticator app, step by step, and remove one."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.features.totp import flow
from ostiary.features.totp.factor import FACTOR
from ostiary.features.totp.flow import TOTP_CODE_WRONG, Enrolment
from ostiary.features.totp.qr import qr_svg
from ostiary.http.access import SESSION
from ostiary.http.delivery import held
from ostiary.http.enrolled import FACTORS, ask_before_removing, go_on_after_adding
from ostiary.http.forms import Form
from ostiary.http.pages import account_problem, page, see
from ostiary.http.routing import Hot
from ostiary.http.shell import FactorPage
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import INVALID_REQUEST, Refused

NEW: Final = "/account/factors/totp/new"
ONE: Final = "/account/factors/totp/{totp_id}"
REMOVE: Final = "/account/factors/totp/{totp_id}/remove"

PAGE: Final = FactorPage(
    FACTOR, "Authenticator app", "Add an authenticator app", NEW, REMOVE.replace("{totp_id}", "{id}")
)

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
        added = await flow.confirm(core, visit.origin, current.principal, totp_id, typed, held(visit))
    except Refused as refused:
        if refused.code is not TOTP_CODE_WRONG:
            raise
        form.refuse(
            "code", "This code is not right. Wait for the next one, and look at the clock of your phone."
        )
        return await _confirm_page(visit, form, made, 422)
    return await go_on_after_adding(visit, current.session, added, PAGE)


async def ask_remove(request: Request) -> Response:
    """Asks whether to remove an app."""
    return await ask_before_removing(visit_of(request.scope), PAGE, request.path_params["totp_id"], _REMOVE)


async def remove(request: Request) -> Response:
    """Remove an app."""
    visit = visit_of(request.scope)
    current = await visit.session()
    await flow.remove(visit.edge.core, visit.origin, current.principal, request.path_params["totp_id"])
    return see(f"{FACTORS}?removed={PAGE.name}")


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
