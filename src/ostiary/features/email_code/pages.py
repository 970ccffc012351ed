"""Owns the pages on which people switch codes by mail on, step by step, and off."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.core.wiring import Core
from ostiary.features.email_code import flow
from ostiary.features.email_code.factor import FACTOR
from ostiary.features.email_code.flow import EMAIL_CODE_WRONG
from ostiary.features.email_code.settings import EmailCodeSettings
from ostiary.http.access import SESSION
from ostiary.http.delivery import held
from ostiary.http.enrolled import FACTORS, SECTION, ask_before_removing, go_on_after_adding
from ostiary.http.forms import Form
from ostiary.http.pages import account_problem, page, query_of, see
from ostiary.http.routing import Hot
from ostiary.http.shell import FactorPage
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import Refused

NEW: Final = "/account/factors/email-code"
CONFIRM: Final = "/account/factors/email-code/confirm"
REMOVE: Final = "/account/factors/email-code/remove"


def _is_open(core: Core) -> bool:
    return core.settings.of(EmailCodeSettings).email_code


PAGE: Final = FactorPage(
    FACTOR, "Codes by mail", "Use codes by mail", NEW, REMOVE, is_single=True, is_open=_is_open
)

_NEW: Final = f"{__package__}/new.html"
_CONFIRM: Final = f"{__package__}/confirm.html"


async def new(request: Request) -> Response:
    """Says what is going to happen, and to which address."""
    visit = visit_of(request.scope)
    core, current = visit.edge.core, await visit.session()
    await flow.look(core, current.principal)
    return await page(visit, _NEW, here=SECTION, email=current.account.email)


async def begin(request: Request) -> Response:
    """Mail a code, and go to where it is typed."""
    visit = visit_of(request.scope)
    await flow.begin(visit.edge.core, visit.origin, (await visit.session()).principal)
    return see(f"{CONFIRM}?again=1" if Form(visit.form).flag("again") else CONFIRM)


async def ask(request: Request) -> Response:
    """Asks for the code from the mail."""
    visit = visit_of(request.scope)
    current = await visit.session()
    await flow.look(visit.edge.core, current.principal)
    notice = "We have sent another mail." if query_of(request, "again") == "1" else ""
    return await _confirm_page(visit, Form(), notice=notice)


async def confirm(request: Request) -> Response:
    """Switch it on; backup codes that came along are shown now and never again."""
    visit = visit_of(request.scope)
    current, form = await visit.session(), Form(visit.form)
    typed = form.text("code", flow.LONGEST_CODE, missing="Enter the code from the mail.")
    if form.errors:
        return await _confirm_page(visit, form, 422)
    try:
        added = await flow.confirm(visit.edge.core, visit.origin, current.principal, typed, held(visit))
    except Refused as refused:
        if refused.code is not EMAIL_CODE_WRONG:
            raise
        form.refuse(
            "code", "This code is not right. Use the one from the latest mail, or have another one sent."
        )
        return await _confirm_page(visit, form, 422)
    return await go_on_after_adding(visit, current.session, added, PAGE)


async def ask_remove(request: Request) -> Response:
    """Asks whether to switch it off."""
    return await ask_before_removing(visit_of(request.scope), PAGE)


async def remove(request: Request) -> Response:
    """Switch it off."""
    visit = visit_of(request.scope)
    await flow.remove(visit.edge.core, visit.origin, (await visit.session()).principal)
    return see(f"{FACTORS}?removed={PAGE.name}")


async def _confirm_page(visit: Visit, form: Form, status: int = 200, notice: str = "") -> Response:
    email = (await visit.session()).account.email
    return await page(
        visit, _CONFIRM, status, here=SECTION, form=form, email=email, limit=flow.LONGEST_CODE, notice=notice
    )


PAGES: Final = (
    Hot(NEW, ("GET",), new, SESSION, on_problem=account_problem),
    Hot(NEW, ("POST",), begin, SESSION, takes_form=True, on_problem=account_problem),
    Hot(CONFIRM, ("GET",), ask, SESSION, on_problem=account_problem),
    Hot(CONFIRM, ("POST",), confirm, SESSION, takes_form=True, on_problem=account_problem),
    Hot(REMOVE, ("GET",), ask_remove, SESSION, on_problem=account_problem),
    Hot(REMOVE, ("POST",), remove, SESSION, takes_form=True, on_problem=account_problem),
)
