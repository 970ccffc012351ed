"""Owns the pages of signing in and out. They walk through the same door as the JSON routes."""

from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from ostiary.core.accounts.accounts import EMAIL_NOT_VERIFIED, INVALID_CREDENTIALS
from ostiary.core.passwords.codes import PASSWORD_TOO_LONG
from ostiary.core.sessions.settings import SessionSettings
from ostiary.core.signin.door import ATTEMPT_INVALID
from ostiary.features.signin import flow, front_end
from ostiary.features.signin.password_way import PasswordWay, Submission
from ostiary.http.access import PUBLIC
from ostiary.http.arrival import FACTOR, WAITING, go_on
from ostiary.http.cookies import Header
from ostiary.http.entrance import begin, everyone, present, resume, signed_in, take_back
from ostiary.http.forms import Form
from ostiary.http.pages import (
    LOGIN,
    allow_redirect,
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
from ostiary.kernel.errors import Code, Refused
from ostiary.kernel.secret import Secret

LOGOUT: Final = "/logout"
CHALLENGE: Final = "/login/factor/challenge"

_LOGIN: Final = f"{__package__}/login.html"
_FACTOR: Final = f"{__package__}/factor.html"
_UNVERIFIED: Final = f"{__package__}/unverified.html"
_LOGOUT: Final = f"{__package__}/logout.html"
_MOST_FACTORS: Final = 10
_NOTICES: Final = {
    "signed-out": "You are signed out.",
    "registered": "Your account is ready. Sign in.",
    "late": "That took too long, or it was done elsewhere. Sign in again.",
}
# A wrong password and an over-long one are the same to whoever signs in.
_WRONG: Final[tuple[Code, ...]] = (INVALID_CREDENTIALS, PASSWORD_TOO_LONG)


async def login(request: Request) -> Response:
    """The sign-in page; whoever is signed in already goes on, unless it must be shown once more who that is."""
    visit = visit_of(request.scope)
    current = await signed_in(visit)
    is_again = query_of(request, "again") == "1"
    if (wanted := front_end.asked(visit, request)) is not None:
        if current is not None and not is_again:
            return await front_end.send_back(visit, current, *wanted)
        destination = front_end.way_back(*wanted)
    else:
        destination = may_go(visit, query_of(request, "next"))
    if current is None:
        notice = _NOTICES.get(query_of(request, "done"), "")
        return await _login_page(visit, Form(), destination, notice=notice)
    if not is_again:
        return see(destination or visit.edge.shell.home)
    known = [("again", "on"), ("identifier", current.account.email or "")]
    if current.session.is_remembered:
        known.append(("remember", "on"))
    return await _login_page(visit, Form(known), destination)


async def log_in(request: Request) -> Response:
    """Sign in with a password; a wrong one is said on the same page, and so is everything else that it could be."""
    visit = visit_of(request.scope)
    core, form = visit.edge.core, Form(visit.form)
    destination = may_go(visit, form.value("next"))
    identifier = form.text("identifier", flow.LONGEST_IDENTIFIER, missing="Enter your e-mail address.")
    password = form.secret("password", missing="Enter your password.")
    if form.errors:
        return await _login_page(visit, form, destination, 422)
    entry = await begin(visit, remember=form.flag("remember"))
    way = PasswordWay(core.world, core.passwords, asks_breaches=core.door.is_watched)
    try:
        outcome = await core.door.enter(entry, way, Submission(identifier, password))
    except Refused as refused:
        headers = problem_from(refused, visit).headers
        if refused.code in _WRONG:
            form.refuse("", "The e-mail address or the password is wrong.")
            return await _login_page(visit, form, destination, refused.code.status, headers)
        if refused.code is EMAIL_NOT_VERIFIED:
            return await page(visit, _UNVERIFIED, refused.code.status, headers, email=identifier)
        raise
    return await go_on(visit, outcome, entry.pre_session, destination)


async def factor(request: Request) -> Response:
    """The page that asks for a second factor; without a sign-in that waits, back to its beginning."""
    visit = visit_of(request.scope)
    told = read_note(visit, WAITING)
    if not told or visit.cookies.pre is None:
        return see(LOGIN)
    wanted = query_of(request, "use")
    factors = tuple(told["factors"])
    chosen = wanted if wanted in factors else factors[0]
    asked = query_of(request, "asked") == "1"
    form = Form([("can_trust", "on")] if told.get("can_trust") else ())
    return await _factor_page(visit, form, told["attempt"], factors, chosen, told["next"], is_asked=asked)


async def ask_factor(request: Request) -> Response:
    """Ask for what a factor needs first, such as a mail with a code; then its field."""
    visit = visit_of(request.scope)
    form = Form(visit.form)
    attempt, chosen = form.value("attempt"), form.value("factor")
    try:
        await visit.edge.core.door.challenge(await resume(visit), attempt, chosen)
    except Refused as refused:
        if refused.code is ATTEMPT_INVALID:
            return await _too_late(visit, may_go(visit, form.value("next")), refused)
        raise
    return see(f"{FACTOR}?use={quote(chosen)}&asked=1")


async def _too_late(visit: Visit, destination: str, refused: Refused) -> Response:
    fresh = Form()
    fresh.refuse("", "That took too long. Sign in again.")
    return await _login_page(visit, fresh, destination, 401, problem_from(refused, visit).headers)


async def answer_factor(request: Request) -> Response:
    """Go on with a code; nothing typed gets nobody any further (L02)."""
    visit = visit_of(request.scope)
    form = Form(visit.form)
    destination = may_go(visit, form.value("next"))
    attempt, chosen = form.value("attempt"), form.value("factor")
    response = form.value("response")
    code = Secret(response) if response else form.secret("code", missing="Enter the code.")
    factors = tuple(dict.fromkeys([chosen, *form.value("factors").split()]))[:_MOST_FACTORS]
    if form.errors:
        return await _factor_page(visit, form, attempt, factors, chosen, destination, 422)
    entry = await resume(visit, trust_device=form.flag("trust_device"))
    try:
        outcome = await visit.edge.core.door.proceed(entry, attempt, chosen, code)
    except Refused as refused:
        headers = problem_from(refused, visit).headers
        if refused.code is INVALID_CREDENTIALS:
            if response:
                form.refuse("", "This passkey did not work here, or it took too long. Try again.")
            else:
                form.refuse("code", "This code is wrong, or it was used before.")
            return await _factor_page(visit, form, attempt, factors, chosen, destination, 401, headers)
        if refused.code is ATTEMPT_INVALID:
            return await _too_late(visit, destination, refused)
        raise
    return await go_on(visit, outcome, entry.pre_session, destination)


async def logout(request: Request) -> Response:
    """Asks whether to sign out, for those who typed the address."""
    visit = visit_of(request.scope)
    # Even a cookie that says nothing any more goes by signing out, and the refresh token that is not seen here with it.
    if visit.cookies.access is None and await present(visit) is None:
        return see(LOGIN)
    return await page(visit, _LOGOUT)


async def log_out(request: Request) -> Response:
    """Sign out, whether or not the session still lived."""
    visit = visit_of(request.scope)
    for who in await everyone(visit):
        await flow.sign_out(visit.edge.core, visit.origin, who.resolved.principal, everywhere=False)
    return see(f"{LOGIN}?done=signed-out", take_back(visit))


async def _login_page(
    visit: Visit,
    form: Form,
    destination: str,
    status: int = 200,
    headers: list[Header] | tuple[Header, ...] = (),
    notice: str = "",
) -> Response:
    allow_redirect(visit, destination)
    return await page(
        visit,
        _LOGIN,
        status,
        headers,
        form=form,
        next=destination,
        notice=notice,
        again=form.flag("again"),
        remember_for=visit.edge.core.settings.of(SessionSettings).remember_lifetime,
        has_passkeys=visit.edge.shell.has("/login/passkey") and visit.edge.base.is_name,
        signup=with_next("/signup", destination) if visit.edge.shell.has("/signup") else "",
    )


async def _factor_page(
    visit: Visit,
    form: Form,
    attempt: str,
    factors: tuple[str, ...],
    chosen: str,
    destination: str,
    status: int = 200,
    headers: list[Header] | tuple[Header, ...] = (),
    *,
    is_asked: bool = True,
) -> Response:
    allow_redirect(visit, destination)
    # What the form names may be none of ours; the door refuses it, and until then it is called by its own name.
    known = visit.edge.core.factors.by_name
    names = {name: known[name].label if name in known else name for name in factors}
    return await page(
        visit,
        _FACTOR,
        status,
        headers,
        form=form,
        attempt=attempt,
        factors=names,
        chosen=chosen,
        asks=known[chosen].asks if chosen in known else "",
        is_asked=is_asked,
        is_digits=chosen in known and known[chosen].is_digits,
        is_ceremony=chosen in known and known[chosen].is_ceremony,
        limit=flow.LONGEST_CODE,
        trust_for=visit.edge.core.door.trust.lifetime if form.flag("can_trust") else None,
        next=destination,
    )


PAGES: Final = (
    Hot(LOGIN, ("GET",), login, PUBLIC, on_problem=page_problem),
    Hot(LOGIN, ("POST",), log_in, PUBLIC, takes_form=True, on_problem=page_problem),
    Hot(FACTOR, ("GET",), factor, PUBLIC, on_problem=page_problem),
    Hot(FACTOR, ("POST",), answer_factor, PUBLIC, takes_form=True, on_problem=page_problem),
    Hot(CHALLENGE, ("POST",), ask_factor, PUBLIC, takes_form=True, on_problem=page_problem),
    Hot(LOGOUT, ("GET",), logout, PUBLIC, on_problem=page_problem),
    Hot(LOGOUT, ("POST",), log_out, PUBLIC, takes_form=True, on_problem=page_problem),
)
