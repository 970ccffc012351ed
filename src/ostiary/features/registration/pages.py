"""Owns the page of signing up. It says the same whether the address is new, unproven or taken."""

from collections.abc import Iterable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.features.registration import flow
from ostiary.features.registration.settings import RegistrationSettings
from ostiary.http.access import PUBLIC
from ostiary.http.cookies import Header
from ostiary.http.entrance import signed_in
from ostiary.http.forms import Form, rules_in_words
from ostiary.http.pages import (
    CHECK,
    MAILED,
    leave_note,
    may_go,
    page,
    page_problem,
    query_of,
    see,
    with_next,
)
from ostiary.http.problems import problem_from
from ostiary.http.routing import Hot
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import Refused
from ostiary.kernel.secret import Secret

SIGNUP: Final = "/signup"
# What the browser has made comes here; otherwise it is the same.
MADE: Final = "/signup/passkey"

_SIGNUP: Final = f"{__package__}/signup.html"
_CLOSED: Final = f"{__package__}/closed.html"
# A passkey that is wrong, known, or has not checked who made it; a full window says something else.
_NOT_TAKEN: Final = (401, 409, 422)


async def signup(request: Request) -> Response:
    """The sign-up page; whoever is signed in already goes on."""
    visit = visit_of(request.scope)
    destination = may_go(visit, query_of(request, "next"))
    if await signed_in(visit) is not None:
        return see(destination or visit.edge.shell.home)
    return await _signup_page(visit, Form(), destination)


async def sign_up(request: Request) -> Response:
    """Register, then go and look for the mail. What is wrong is said next to its field, all of it at once."""
    visit = visit_of(request.scope)
    form = Form(visit.form)
    destination = may_go(visit, form.value("next"))
    if not _is_open(visit):
        return await _signup_page(visit, form, destination)
    name = form.text("name", flow.LONGEST_NAME).strip()
    email = form.text("email", flow.LONGEST_EMAIL, missing="Enter your e-mail address.")
    key = _key(visit, form)
    if form.errors:
        return await _signup_page(visit, form, destination, 422)
    try:
        claim = await flow.register(visit.edge.core, visit.origin, flow.Registration(email, key, name))
    except Refused as refused:
        if not form.blame(refused) and isinstance(key, flow.Brought) and refused.code.status in _NOT_TAKEN:
            form.refuse("", f"{refused.code.title} Try again, or choose a password.")
        if form.errors:
            return await _signup_page(
                visit, form, destination, refused.code.status, problem_from(refused, visit).headers
            )
        raise
    if not visit.edge.shell.has(CHECK):
        return see("/login?done=registered")
    return see(CHECK, [leave_note(visit, MAILED, email=email.strip(), next=destination, claim=claim)])


def _key(visit: Visit, form: Form) -> Secret | flow.Brought:
    """What will sign in: what the browser has made, or a password."""
    response = form.value("response")
    if not response:
        return form.secret("password", missing="Choose a password.")
    return flow.Brought(form.value("factor"), visit.cookies.pre or "", Secret(response))


def _joining(visit: Visit) -> str:
    """With what else than a password people can sign up in their browser; "" for nothing."""
    is_possible = visit.edge.shell.has(CHECK) and visit.edge.base.is_name
    return next(iter(visit.edge.core.factors.joinable), "") if is_possible else ""


def _is_open(visit: Visit) -> bool:
    return visit.edge.core.settings.of(RegistrationSettings).registration_open


async def _signup_page(
    visit: Visit, form: Form, destination: str, status: int = 200, headers: Iterable[Header] = ()
) -> Response:
    if not _is_open(visit):
        return await page(visit, _CLOSED, 403)
    return await page(
        visit,
        _SIGNUP,
        status,
        headers,
        form=form,
        next=destination,
        joining=_joining(visit),
        rules=rules_in_words(visit.edge.core.passwords.rules()),
        limits=(flow.LONGEST_NAME, flow.LONGEST_EMAIL),
        login=with_next("/login", destination) if visit.edge.shell.has("/login") else "",
    )


PAGES: Final = (
    Hot(SIGNUP, ("GET",), signup, PUBLIC, on_problem=page_problem),
    Hot(SIGNUP, ("POST",), sign_up, PUBLIC, takes_form=True, on_problem=page_problem),
    Hot(MADE, ("POST",), sign_up, PUBLIC, takes_form=True, on_problem=page_problem),
)
