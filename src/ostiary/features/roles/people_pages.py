"""Owns the pages on which those who may give roles to people and take them."""

from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from ostiary.features.roles import people
from ostiary.features.roles.people import LAST_SUPERADMIN
from ostiary.http.access import SESSION
from ostiary.http.cookies import Header
from ostiary.http.forms import Form
from ostiary.http.pages import account_problem, page, query_of, see
from ostiary.http.problems import problem_from
from ostiary.http.routing import Hot
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import INVALID_REQUEST, NOT_FOUND, Refused

PEOPLE: Final = "/account/roles/people"
ONE: Final = "/account/roles/people/{account_id}"
TAKE: Final = "/account/roles/people/{account_id}/take"

_PEOPLE: Final = f"{__package__}/people.html"
_ONE: Final = f"{__package__}/person.html"
_TAKE: Final = f"{__package__}/take.html"
_LONGEST: Final = 320
_NOTICES: Final = {
    "given": "The role is given.",
    "taken": "The role is taken.",
    "held": "It is held already.",
}


async def ask(request: Request) -> Response:
    """Asks whose roles are to be changed."""
    visit = visit_of(request.scope)
    # The permission and a fresh proof now, so that nothing is typed in vain.
    core, who = visit.edge.core, (await visit.session()).principal
    await people.refuse_unless_may(core, core.database, who)
    return await _ask_page(visit, Form())


async def find(request: Request) -> Response:
    """Go to the page of whoever has an address."""
    visit = visit_of(request.scope)
    who, form = (await visit.session()).principal, Form(visit.form)
    email = form.text("email", _LONGEST, missing="Enter an e-mail address.")
    await people.refuse_unless_may(visit.edge.core, visit.edge.core.database, who)
    found = None if form.errors else await people.find(visit.edge.core, who, email)
    if found is not None:
        return see(ONE.format(account_id=found))
    if not form.errors:
        form.refuse("email", "Nobody has this address.")
    return await _ask_page(visit, form, 422)


async def one(request: Request) -> Response:
    """Somebody's roles, and what may be given."""
    visit = visit_of(request.scope)
    return await _one_page(visit, request, Form(), notice=_NOTICES.get(query_of(request, "done"), ""))


async def give(request: Request) -> Response:
    """Give a role."""
    visit = visit_of(request.scope)
    who, form = (await visit.session()).principal, Form(visit.form)
    account_id = request.path_params["account_id"]
    role = form.text("role", _LONGEST, missing="Write the name of a role.").strip()
    if form.errors:
        return await _one_page(visit, request, form, 422)
    try:
        given = await people.give(visit.edge.core, visit.origin, who, account_id, role)
    except Refused as refused:
        if refused.code is not INVALID_REQUEST or not form.blame(refused):
            raise
        return await _one_page(visit, request, form, 422)
    return see(f"{ONE.format(account_id=account_id)}?done={'given' if given else 'held'}")


async def ask_take(request: Request) -> Response:
    """Asks whether to take a role."""
    visit = visit_of(request.scope)
    who, account_id = (await visit.session()).principal, request.path_params["account_id"]
    found = await people.person(visit.edge.core, who, account_id)
    wanted = (query_of(request, "role"), query_of(request, "scope"))
    for grant in found.takable:
        if (grant.role, grant.scope) == wanted:
            return await _take_page(visit, found, grant.role, grant.scope, Form())
    return see(ONE.format(account_id=account_id))


async def take(request: Request) -> Response:
    """Take a role."""
    visit = visit_of(request.scope)
    core, who, form = visit.edge.core, (await visit.session()).principal, Form(visit.form)
    account_id, role, scope = request.path_params["account_id"], form.value("role"), form.value("scope")
    try:
        taken = await people.take(core, visit.origin, who, account_id, role, scope)
    except Refused as refused:
        if refused.code is not LAST_SUPERADMIN:
            raise
        form.refuse("", "Somebody must stay superadmin. Give the role to somebody else first.")
        found = await people.person(core, who, account_id)
        headers = problem_from(refused, visit).headers
        return await _take_page(visit, found, role, scope, form, refused.code.status, headers)
    if not taken:
        raise Refused(NOT_FOUND, "not held", counted=False)
    if account_id == who.account_id and not await people.may_manage(core, who):
        return see("/account/roles")
    return see(f"{ONE.format(account_id=account_id)}?done=taken")


async def _ask_page(visit: Visit, form: Form, status: int = 200) -> Response:
    return await page(visit, _PEOPLE, status, here="roles", form=form, limit=_LONGEST)


async def _one_page(
    visit: Visit, request: Request, form: Form, status: int = 200, notice: str = ""
) -> Response:
    who = (await visit.session()).principal
    found = await people.person(visit.edge.core, who, request.path_params["account_id"])
    grants = [
        (grant, urlencode({"role": grant.role, "scope": grant.scope}) if grant in found.takable else "")
        for grant in found.grants
    ]
    context: dict[str, Any] = {
        "form": form, "person": found, "grants": grants, "limit": _LONGEST, "notice": notice,
    }  # fmt: skip
    return await page(visit, _ONE, status, here="roles", **context)


async def _take_page(
    visit: Visit,
    found: people.Person,
    role: str,
    scope: str,
    form: Form,
    status: int = 200,
    headers: list[Header] | None = None,
) -> Response:
    context: dict[str, Any] = {"person": found, "role": role, "scope": scope, "form": form}
    return await page(visit, _TAKE, status, headers or (), here="roles", **context)


PAGES: Final = (
    Hot(PEOPLE, ("GET",), ask, SESSION, on_problem=account_problem),
    Hot(PEOPLE, ("POST",), find, SESSION, takes_form=True, on_problem=account_problem),
    Hot(ONE, ("GET",), one, SESSION, on_problem=account_problem),
    Hot(ONE, ("POST",), give, SESSION, takes_form=True, on_problem=account_problem),
    Hot(TAKE, ("GET",), ask_take, SESSION, on_problem=account_problem),
    Hot(TAKE, ("POST",), take, SESSION, takes_form=True, on_problem=account_problem),
)
