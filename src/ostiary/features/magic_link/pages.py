"""Owns the pages of magic links: ask for one, look at it, and use it or the code that it shows elsewhere."""

from collections.abc import Iterable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.core.accounts.accounts import EMAIL_NOT_VERIFIED, INVALID_CREDENTIALS
from ostiary.features.magic_link import flow
from ostiary.features.magic_link.way import Asked, MagicLinkWay, Submission, unseal
from ostiary.http.access import PUBLIC
from ostiary.http.arrival import go_on
from ostiary.http.cookies import Header
from ostiary.http.entrance import begin
from ostiary.http.forms import Form
from ostiary.http.pages import allow_redirect, may_go, page, page_problem, query_of, see
from ostiary.http.problems import problem_from
from ostiary.http.routing import Hot
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import Refused
from ostiary.kernel.secret import Secret

LINK: Final = flow.PAGE
ASK: Final = "/login/link/ask"
SENT: Final = "/login/link/sent"

_ASK: Final = f"{__package__}/ask.html"
_SENT: Final = f"{__package__}/sent.html"
_USE: Final = f"{__package__}/use.html"
_ELSEWHERE: Final = f"{__package__}/elsewhere.html"
_REFUSED: Final = (INVALID_CREDENTIALS, EMAIL_NOT_VERIFIED)


async def form(request: Request) -> Response:
    """A field for the address, and a button for the mail."""
    visit = visit_of(request.scope)
    return await _ask_page(visit, Form(), may_go(visit, query_of(request, "next")))


async def ask(request: Request) -> Response:
    """Send the mail if there is an account; the answer does not tell."""
    visit = visit_of(request.scope)
    typed = Form(visit.form)
    destination = may_go(visit, typed.value("next"))
    email = typed.text("email", flow.LONGEST_EMAIL, missing="Enter your e-mail address.").strip()
    if typed.errors:
        return await _ask_page(visit, typed, destination, 422)
    wish = flow.Wish(email, typed.flag("remember"), destination)
    try:
        sealed = await flow.ask(visit.edge.core, visit.origin, wish)
    except Refused as refused:
        if typed.blame(refused):
            return await _ask_page(visit, typed, destination, refused.code.status)
        raise
    return see(SENT, [visit.edge.cookies.set_pre(sealed)])


async def sent(request: Request) -> Response:
    """Look for the mail; whoever opens it on another device types its code here."""
    visit = visit_of(request.scope)
    asked = _asked(visit)
    return see(ASK) if asked is None else await _sent_page(visit, Form(), asked)


async def look(request: Request) -> Response:
    """The page that the link opens: a button in the browser that asked, elsewhere a code. It spends nothing."""
    visit = visit_of(request.scope)
    token = query_of(request, "token")[: flow.LONGEST_TOKEN]
    if not token:
        return see(ASK)
    asked = _asked(visit)
    code = await flow.look(visit.edge.core, Secret(token), asked)
    if code is None:
        return await _ask_page(visit, Form(), "", 400, is_spent=True)
    if code:
        return await page(visit, _ELSEWHERE, code=code)
    allow_redirect(visit, asked.next if asked else "")
    return await page(visit, _USE, token=token)


async def use(request: Request) -> Response:
    """Sign in with the link, or with its code; a second factor may still be asked for."""
    visit = visit_of(request.scope)
    core, typed, asked = visit.edge.core, Form(visit.form), _asked(visit)
    token = typed.value("token")[: flow.LONGEST_TOKEN]
    code = "" if token else typed.text("code", flow.LONGEST_CODE, missing="Enter the code.")
    if asked is None:
        return await _ask_page(visit, Form(), "", 400, is_spent=True)
    if typed.errors:
        return await _sent_page(visit, typed, asked, 422)
    entry = await begin(visit, remember=asked.is_remembered)
    submission = Submission(asked, Secret(token) if token else None, code)
    try:
        outcome = await core.door.enter(entry, MagicLinkWay(core), submission)
    except Refused as refused:
        if refused.code not in _REFUSED:
            raise
        headers = problem_from(refused, visit).headers
        if token:
            return await _ask_page(visit, Form(), asked.next, refused.code.status, headers, is_spent=True)
        typed.refuse("code", "This code does not work. It may be wrong, too old, or a newer link was sent.")
        return await _sent_page(visit, typed, asked, refused.code.status, headers)
    return await go_on(visit, outcome, entry.pre_session, asked.next)


def _asked(visit: Visit) -> Asked | None:
    core = visit.edge.core
    return unseal(core.ring, visit.cookies.pre or "", core.world.now())


async def _ask_page(
    visit: Visit,
    typed: Form,
    destination: str,
    status: int = 200,
    headers: Iterable[Header] = (),
    *,
    is_spent: bool = False,
) -> Response:
    return await page(visit, _ASK, status, headers, form=typed, next=destination, is_spent=is_spent)


async def _sent_page(
    visit: Visit, typed: Form, asked: Asked, status: int = 200, headers: Iterable[Header] = ()
) -> Response:
    allow_redirect(visit, asked.next)
    return await page(visit, _SENT, status, headers, form=typed, email=asked.address.shown)


PAGES: Final = (
    Hot(LINK, ("GET",), look, PUBLIC, on_problem=page_problem),
    Hot(LINK, ("POST",), use, PUBLIC, takes_form=True, on_problem=page_problem),
    Hot(ASK, ("GET",), form, PUBLIC, on_problem=page_problem),
    Hot(ASK, ("POST",), ask, PUBLIC, takes_form=True, on_problem=page_problem),
    Hot(SENT, ("GET",), sent, PUBLIC, on_problem=page_problem),
)
