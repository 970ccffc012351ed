"""Owns the pages that prove an address: look for the mail, the link's page, and a new mail.

Looking at a link spends nothing (scanners follow links): its page has a button. Every answer is the same for an
address that nobody has.
"""

from collections.abc import Iterable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.features.email_verification import flow
from ostiary.features.email_verification.flow import VERIFICATION_INVALID
from ostiary.http.access import PUBLIC
from ostiary.http.cookies import Header
from ostiary.http.forms import Form
from ostiary.http.pages import (
    CHECK,
    MAILED,
    leave_note,
    may_go,
    page,
    page_problem,
    query_of,
    read_note,
    see,
    with_next,
)
from ostiary.http.problems import problem_from
from ostiary.http.routing import Hot
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import Refused
from ostiary.kernel.secret import Secret

VERIFY: Final = flow.PAGE
RESEND: Final = "/verify/resend"
DONE: Final = "/verify/done"

_CHECK: Final = f"{__package__}/check.html"
_CONFIRM: Final = f"{__package__}/confirm.html"
_RESEND: Final = f"{__package__}/resend.html"
_DONE: Final = f"{__package__}/done.html"


async def check(request: Request) -> Response:
    """Look for the mail, and type its code. The address comes by a sealed cookie, never in the page's own address."""
    visit = visit_of(request.scope)
    told = read_note(visit, MAILED)
    notice = "We have sent another mail." if query_of(request, "done") == "resent" else ""
    return await _check_page(visit, Form(), told.get("email", ""), notice=notice)


async def verify(request: Request) -> Response:
    """The page that the link opens. It has a button and spends nothing, whoever looks at it."""
    visit = visit_of(request.scope)
    token = query_of(request, "token")
    if not token:
        return see(CHECK)
    return await page(visit, _CONFIRM, token=token[: flow.LONGEST_TOKEN])


async def prove(request: Request) -> Response:
    """Prove an address with the link's token, or with the address and its code."""
    visit = visit_of(request.scope)
    form = Form(visit.form)
    token = form.value("token")[: flow.LONGEST_TOKEN]
    if token:
        return await _prove_by_link(visit, token)
    email = form.text("email", flow.LONGEST_EMAIL, missing="Enter your e-mail address.").strip()
    code = form.text("code", flow.LONGEST_CODE, missing="Enter the code from the mail.")
    if form.errors:
        return await _check_page(visit, form, email, 422)
    try:
        await flow.verify_code(visit.edge.core, visit.origin, email, code, _mine(visit))
    except Refused as refused:
        if refused.code is not VERIFICATION_INVALID:
            raise
        form.refuse("code", "This code does not work. It may be wrong, too old, or a newer one was sent.")
        return await _check_page(
            visit, form, email, refused.code.status, problem_from(refused, visit).headers
        )
    return see(DONE)


async def _prove_by_link(visit: Visit, token: str) -> Response:
    try:
        await flow.verify_link(visit.edge.core, visit.origin, Secret(token), _mine(visit))
    except Refused as refused:
        if refused.code is not VERIFICATION_INVALID:
            raise
        headers = problem_from(refused, visit).headers
        return await _resend_page(visit, Form(), refused.code.status, headers, is_spent=True)
    return see(DONE)


async def ask(request: Request) -> Response:
    """A field for the address, and a button for a new mail."""
    return await _resend_page(visit_of(request.scope), Form())


async def resend(request: Request) -> Response:
    """Send the mail again if the address waits for one; the answer does not tell."""
    visit = visit_of(request.scope)
    form = Form(visit.form)
    email = form.text("email", flow.LONGEST_EMAIL, missing="Enter your e-mail address.").strip()
    if form.errors:
        return await _resend_page(visit, form, 422)
    try:
        await flow.resend(visit.edge.core, visit.origin, email, _mine(visit))
    except Refused as refused:
        if form.blame(refused):
            return await _resend_page(visit, form, refused.code.status)
        raise
    told = read_note(visit, MAILED)
    kept = (
        {"next": told.get("next", ""), "claim": told.get("claim", "")} if told.get("email") == email else {}
    )
    return see(f"{CHECK}?done=resent", [leave_note(visit, MAILED, email=email, **kept)])


def _mine(visit: Visit) -> flow.Mine | None:
    """The registration that this browser made; mails that a stranger caused for the same address then do not count."""
    told = read_note(visit, MAILED)
    return flow.Mine(told["claim"], told.get("email", "")) if told.get("claim") else None


async def done(request: Request) -> Response:
    """The address is proven; signing in is a step of its own."""
    visit = visit_of(request.scope)
    destination = may_go(visit, read_note(visit, MAILED).get("next", ""))
    login = with_next("/login", destination) if visit.edge.shell.has("/login") else ""
    return await page(visit, _DONE, login=login)


async def _check_page(
    visit: Visit,
    form: Form,
    email: str,
    status: int = 200,
    headers: Iterable[Header] = (),
    notice: str = "",
) -> Response:
    is_known = bool(email) and not form.errors.get("email")
    return await page(
        visit, _CHECK, status, headers, form=form, email=email, is_known=is_known, notice=notice
    )


async def _resend_page(
    visit: Visit,
    form: Form,
    status: int = 200,
    headers: Iterable[Header] = (),
    *,
    is_spent: bool = False,
) -> Response:
    email = form.value("email") or read_note(visit, MAILED).get("email", "")
    return await page(visit, _RESEND, status, headers, form=form, email=email, is_spent=is_spent)


PAGES: Final = (
    Hot(CHECK, ("GET",), check, PUBLIC, on_problem=page_problem),
    Hot(VERIFY, ("GET",), verify, PUBLIC, on_problem=page_problem),
    Hot(VERIFY, ("POST",), prove, PUBLIC, takes_form=True, on_problem=page_problem),
    Hot(RESEND, ("GET",), ask, PUBLIC, on_problem=page_problem),
    Hot(RESEND, ("POST",), resend, PUBLIC, takes_form=True, on_problem=page_problem),
    Hot(DONE, ("GET",), done, PUBLIC, on_problem=page_problem),
)
