"""Owns the pages of passkeys: signing in with one, adding one, giving it a name, and removing it.

The browser does the ceremony (`ostiary.js`), and a form carries its answer: without a script these pages say so.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.core.accounts.accounts import EMAIL_NOT_VERIFIED, INVALID_CREDENTIALS
from ostiary.core.tokens.settings import COOKIE
from ostiary.core.wiring import Core
from ostiary.features.passkeys import flow
from ostiary.features.passkeys.factor import LONGEST_ANSWER
from ostiary.features.passkeys.judging import NAME, PASSKEY_UNVERIFIED
from ostiary.features.passkeys.making import PASSKEY_KNOWN, PASSKEY_REFUSED
from ostiary.features.passkeys.way import PasskeyWay, Submission
from ostiary.http.access import PUBLIC, SESSION
from ostiary.http.arrival import go_on
from ostiary.http.cookies import Header
from ostiary.http.delivery import held
from ostiary.http.enrolled import FACTORS, SECTION, ask_before_removing, go_on_after_adding
from ostiary.http.entrance import begin
from ostiary.http.forms import Form
from ostiary.http.pages import (
    account_problem,
    allow_redirect,
    may_go,
    page,
    page_problem,
    query_of,
    see,
)
from ostiary.http.problems import problem_from
from ostiary.http.routing import Hot
from ostiary.http.settings import HttpSettings, parse_base_url
from ostiary.http.shell import FactorPage
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import INVALID_REQUEST, NOT_FOUND, Refused
from ostiary.protocols import strict_json

LOGIN: Final = "/login/passkey"
NEW: Final = "/account/factors/passkeys/new"
ONE: Final = "/account/factors/passkeys/{passkey_id}"
REMOVE: Final = "/account/factors/passkeys/{passkey_id}/remove"


def _is_open(core: Core) -> bool:
    return parse_base_url(core.settings.of(HttpSettings).base_url).is_name


PAGE: Final = FactorPage(
    NAME,
    "Passkey",
    "Add a passkey",
    NEW,
    REMOVE.replace("{passkey_id}", "{id}"),
    rename=ONE.replace("{passkey_id}", "{id}"),
    is_open=_is_open,
)

_LOGIN: Final = f"{__package__}/login.html"
_NEW: Final = f"{__package__}/new.html"
_NAME: Final = f"{__package__}/name.html"
_REMOVE: Final = f"{__package__}/remove.html"
_WRONG: Final = {
    INVALID_CREDENTIALS: "This passkey did not work here, or it took too long. Try again, or sign in another way.",
    PASSKEY_UNVERIFIED: "This passkey did not check who you are by PIN, fingerprint or face. Alone that is not enough: "
    "sign in another way.",
    EMAIL_NOT_VERIFIED: "Your e-mail address is not confirmed yet. Look for our mail first.",
}
_NOT_ADDED: Final = {
    PASSKEY_REFUSED: "This passkey could not be added, or it took too long. Try again.",
    PASSKEY_KNOWN: "This passkey belongs to an account already.",
}


async def login(request: Request) -> Response:
    """A page that asks for a passkey and nothing else."""
    visit = visit_of(request.scope)
    return await _login_page(visit, Form(), may_go(visit, query_of(request, "next")))


async def log_in(request: Request) -> Response:
    """Sign in with what the browser answered."""
    visit = visit_of(request.scope)
    core, form = visit.edge.core, Form(visit.form)
    destination = may_go(visit, form.value("next"))
    entry = await begin(visit, remember=form.flag("remember"))
    submission = Submission(_answer(form), visit.cookies.pre or "", COOKIE)
    try:
        outcome = await core.door.enter(entry, PasskeyWay(core), submission)
    except Refused as refused:
        if refused.code not in _WRONG:
            raise
        form.refuse("", _WRONG[refused.code])
        headers = problem_from(refused, visit).headers
        return await _login_page(visit, form, destination, refused.code.status, headers)
    return await go_on(visit, outcome, entry.pre_session, destination)


async def new(request: Request) -> Response:
    """Says what a passkey is, asks how to call it, and has the browser make one."""
    visit = visit_of(request.scope)
    core, current = visit.edge.core, await visit.session()
    if not _is_open(core):
        raise Refused(NOT_FOUND, "browsers know no passkeys on bare addresses", counted=False)
    await core.factors.require(core.database, current.principal)
    return await _new_page(visit, Form())


async def add(request: Request) -> Response:
    """Add what the browser made; backup codes that came along are shown now and never again."""
    visit = visit_of(request.scope)
    core, current, form = visit.edge.core, await visit.session(), Form(visit.form)
    try:
        _, added = await flow.add(
            core, visit.origin, current.principal, _answer(form), form.value("name"), held(visit)
        )
    except Refused as refused:
        if refused.code is INVALID_REQUEST and form.blame(refused):
            return await _new_page(visit, form, 422)
        if refused.code not in _NOT_ADDED:
            raise
        form.refuse("", _NOT_ADDED[refused.code])
        return await _new_page(visit, form, refused.code.status, problem_from(refused, visit).headers)
    return await go_on_after_adding(visit, current.session, added, PAGE)


async def ask_name(request: Request) -> Response:
    """Shows a passkey, and a field for its name."""
    visit = visit_of(request.scope)
    one = await _one(visit, request)
    return await page(visit, _NAME, here=SECTION, one=one, form=Form(), limit=flow.LONGEST_NAME)


async def rename(request: Request) -> Response:
    """Give a passkey another name."""
    visit = visit_of(request.scope)
    current, form, one = await visit.session(), Form(visit.form), await _one(visit, request)
    try:
        await flow.rename(visit.edge.core, visit.origin, current.principal, one.id, form.value("name"))
    except Refused as refused:
        if refused.code is INVALID_REQUEST and form.blame(refused):
            return await page(visit, _NAME, 422, here=SECTION, one=one, form=form, limit=flow.LONGEST_NAME)
        raise
    return see(FACTORS)


async def ask_remove(request: Request) -> Response:
    """Asks whether to remove a passkey."""
    return await ask_before_removing(
        visit_of(request.scope), PAGE, request.path_params["passkey_id"], _REMOVE
    )


async def remove(request: Request) -> Response:
    """Remove a passkey."""
    visit = visit_of(request.scope)
    current = await visit.session()
    await flow.remove(visit.edge.core, visit.origin, current.principal, request.path_params["passkey_id"])
    return see(f"{FACTORS}?removed={PAGE.name}")


def _answer(form: Form) -> Mapping[str, Any]:
    """What a script put into the form; whatever is no object is a wrong answer like any other."""
    sent = form.value("response")[:LONGEST_ANSWER]
    try:
        answer = strict_json.parse(sent.encode())
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


async def _one(visit: Visit, request: Request) -> flow.Passkey:
    current = await visit.session()
    for one in await flow.mine(visit.edge.core, current.principal):
        if one.id == request.path_params["passkey_id"]:
            return one
    raise Refused(NOT_FOUND, "no such passkey of this account")


async def _login_page(
    visit: Visit, form: Form, destination: str, status: int = 200, headers: Iterable[Header] = ()
) -> Response:
    allow_redirect(visit, destination)
    return await page(visit, _LOGIN, status, headers, form=form, next=destination)


async def _new_page(visit: Visit, form: Form, status: int = 200, headers: Iterable[Header] = ()) -> Response:
    return await page(visit, _NEW, status, headers, here=SECTION, form=form, limit=flow.LONGEST_NAME)


PAGES: Final = (
    Hot(LOGIN, ("GET",), login, PUBLIC, on_problem=page_problem),
    Hot(LOGIN, ("POST",), log_in, PUBLIC, takes_form=True, on_problem=page_problem),
    Hot(NEW, ("GET",), new, SESSION, on_problem=account_problem),
    Hot(NEW, ("POST",), add, SESSION, takes_form=True, on_problem=account_problem),
    Hot(ONE, ("GET",), ask_name, SESSION, on_problem=account_problem),
    Hot(ONE, ("POST",), rename, SESSION, takes_form=True, on_problem=account_problem),
    Hot(REMOVE, ("GET",), ask_remove, SESSION, on_problem=account_problem),
    Hot(REMOVE, ("POST",), remove, SESSION, takes_form=True, on_problem=account_problem),
)
