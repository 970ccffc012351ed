"""Owns the page of signing up. It says the same whether the address is new, unproven or taken."""

from collections.abc import Iterable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.features.registration import flow
from ostiary.features.registration.settings import RegistrationSettings
from ostiary.http.access import PUBLIC
from ostiary.http.cookies import Header
from ostiary.http.entrance import whose
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

SIGNUP: Final = "/signup"

_SIGNUP: Final = f"{__package__}/signup.html"
_CLOSED: Final = f"{__package__}/closed.html"


async def signup(request: Request) -> Response:
    """The sign-up page; whoever is signed in already goes on."""
    visit = visit_of(request.scope)
    destination = may_go(visit, query_of(request, "next"))
    if await whose(visit) is not None:
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
    password = form.secret("password", missing="Choose a password.")
    if form.errors:
        return await _signup_page(visit, form, destination, 422)
    try:
        claim = await flow.register(visit.edge.core, visit.origin, flow.Registration(email, password, name))
    except Refused as refused:
        if form.blame(refused):
            return await _signup_page(
                visit, form, destination, refused.code.status, problem_from(refused, visit).headers
            )
        raise
    if not visit.edge.shell.has(CHECK):
        return see("/login?done=registered")
    return see(CHECK, [leave_note(visit, MAILED, email=email.strip(), next=destination, claim=claim)])


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
        rules=rules_in_words(visit.edge.core.passwords.rules()),
        limits=(flow.LONGEST_NAME, flow.LONGEST_EMAIL),
        login=with_next("/login", destination) if visit.edge.shell.has("/login") else "",
    )


PAGES: Final = (
    Hot(SIGNUP, ("GET",), signup, PUBLIC, on_problem=page_problem),
    Hot(SIGNUP, ("POST",), sign_up, PUBLIC, takes_form=True, on_problem=page_problem),
)
