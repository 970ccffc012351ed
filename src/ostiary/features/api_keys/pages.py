"""Owns the pages on which people see, make, rotate and revoke their API keys."""

import re
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.core.api_keys.keys import ApiKey
from ostiary.core.sessions.sessions import Resolved
from ostiary.core.wiring import Core
from ostiary.features.api_keys import flow
from ostiary.features.api_keys.flow import LIMIT, SCOPE_DENIED, Made, settings_of
from ostiary.features.api_keys.wish import LONGEST_NAME, Wish
from ostiary.http.access import SESSION
from ostiary.http.cookies import Header
from ostiary.http.forms import Form
from ostiary.http.pages import account_problem, page, query_of, see
from ostiary.http.problems import problem_from
from ostiary.http.routing import Hot
from ostiary.http.shell import AccountSection
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import NOT_FOUND, Refused
from ostiary.kernel.principal import Principal

KEYS: Final = "/account/api-keys"
NEW: Final = "/account/api-keys/new"
ROTATE: Final = "/account/api-keys/{key_id}/rotate"
REVOKE: Final = "/account/api-keys/{key_id}/revoke"

_KEYS: Final = f"{__package__}/keys.html"
_NEW: Final = f"{__package__}/new.html"
_MADE: Final = f"{__package__}/made.html"
_ROTATE: Final = f"{__package__}/rotate.html"
_REVOKE: Final = f"{__package__}/revoke.html"
_NOTICES: Final = {"revoked": "The key is revoked."}
_BETWEEN: Final = re.compile(r"[\s,]+")
_LONGEST_LIST: Final = 2000
_LONGEST_DAYS: Final = 5
_USUAL_DAYS: Final = 90


async def keys(request: Request) -> Response:
    """The keys, and what can be done with each."""
    visit = visit_of(request.scope)
    found = await flow.listed(visit.edge.core, (await visit.session()).principal)
    notice = _NOTICES.get(query_of(request, "done"), "")
    return await page(visit, _KEYS, here="api_keys", keys=found, notice=notice)


async def ask_new(request: Request) -> Response:
    """What the new key shall be."""
    visit = visit_of(request.scope)
    core, who = visit.edge.core, (await visit.session()).principal
    await core.factors.require(core.database, who)
    longest = settings_of(core).api_key_lifetime.days
    days = min(_USUAL_DAYS, longest) if longest else _USUAL_DAYS
    return await _new_page(visit, who, Form([("days", str(days))]))


async def create(request: Request) -> Response:
    """Make a key, and show it this once."""
    visit = visit_of(request.scope)
    core, who, form = visit.edge.core, (await visit.session()).principal, Form(visit.form)
    wish = _wish(core, form)
    if form.errors:
        return await _new_page(visit, who, form, 422)
    try:
        made = await flow.create(core, visit.origin, who, wish)
    except Refused as refused:
        if refused.code is SCOPE_DENIED:
            form.refuse("scopes", f"You may not do this yourself: {', '.join(refused.details['scopes'])}.")
        elif refused.code is LIMIT:
            form.refuse("", "You have as many keys as fit. Revoke one first.")
        elif not form.blame(refused):
            raise
        headers = problem_from(refused, visit).headers
        return await _new_page(visit, who, form, refused.code.status, headers)
    return await _made_page(visit, made)


async def ask_rotate(request: Request) -> Response:
    """Asks whether to give a key a successor."""
    visit = visit_of(request.scope)
    core, who = visit.edge.core, (await visit.session()).principal
    await core.factors.require(core.database, who)
    key = await _find(core, who, request)
    if key.rotated_to is not None or _is_over(core, key):
        raise Refused(NOT_FOUND, "nothing to rotate", counted=False)
    overlap = settings_of(core).api_key_overlap
    return await page(visit, _ROTATE, here="api_keys", key=key, overlap=overlap)


async def rotate(request: Request) -> Response:
    """Give a key a successor, and show it this once."""
    visit = visit_of(request.scope)
    who = (await visit.session()).principal
    made = await flow.rotate(visit.edge.core, visit.origin, who, request.path_params["key_id"])
    return await _made_page(visit, made, overlap=settings_of(visit.edge.core).api_key_overlap)


async def ask_revoke(request: Request) -> Response:
    """Asks whether to revoke a key."""
    visit = visit_of(request.scope)
    key = await _find(visit.edge.core, (await visit.session()).principal, request)
    return await page(visit, _REVOKE, here="api_keys", key=key)


async def revoke(request: Request) -> Response:
    """Revoke a key."""
    visit = visit_of(request.scope)
    who = (await visit.session()).principal
    await flow.revoke(visit.edge.core, visit.origin, who, request.path_params["key_id"])
    return see(f"{KEYS}?done=revoked")


def _wish(core: Core, form: Form) -> Wish:
    """What the form asks for; what is wrong with it stands in the form afterwards."""
    name = form.text("name", LONGEST_NAME, missing="Give the key a name.")
    scopes = _words(form.text("scopes", _LONGEST_LIST))
    networks = _words(form.text("networks", _LONGEST_LIST))
    days, ends = form.value("days").strip(), None
    longest = settings_of(core).api_key_lifetime.days
    if days:
        if not (days.isascii() and days.isdecimal() and len(days) < _LONGEST_DAYS and int(days)):
            form.refuse("days", "Write a number of days.")
        elif longest and int(days) > longest:
            form.refuse("days", f"A key is good for at most {longest} days.")
        else:
            ends = flow.after_days(core, int(days))
    return Wish(name, scopes, networks, ends)


def _words(typed: str) -> tuple[str, ...]:
    return tuple(filter(None, _BETWEEN.split(typed)))


async def _find(core: Core, who: Principal, request: Request) -> ApiKey:
    wanted = request.path_params["key_id"]
    for key in await flow.listed(core, who):
        if key.id == wanted:
            return key
    raise Refused(NOT_FOUND, "no such key of this account", counted=False)


def _is_over(core: Core, key: ApiKey) -> bool:
    return key.expires_at is not None and key.expires_at <= core.world.now()


async def _new_page(
    visit: Visit, who: Principal, form: Form, status: int = 200, headers: list[Header] | None = None
) -> Response:
    core = visit.edge.core
    given: dict[str, Any] = {
        "form": form,
        "grantable": await flow.grantable(core, who),
        "longest": settings_of(core).api_key_lifetime.days,
        "name_limit": LONGEST_NAME,
        "list_limit": _LONGEST_LIST,
        "days_limit": _LONGEST_DAYS - 1,
    }
    return await page(visit, _NEW, status, headers or (), here="api_keys", **given)


async def _made_page(visit: Visit, made: Made, **given: Any) -> Response:
    context = {"overlap": None} | given
    return await page(visit, _MADE, here="api_keys", key=made.key, text=made.text.reveal(), **context)


async def _summary(core: Core, current: Resolved) -> str:
    count = len(await flow.listed(core, current.principal))
    return "" if not count else "1 key" if count == 1 else f"{count} keys"


SECTION: Final = AccountSection(
    "api_keys", "API keys", 50, KEYS, "For programs that act for you.", summary=_summary
)
PAGES: Final = (
    Hot(KEYS, ("GET",), keys, SESSION, on_problem=account_problem),
    Hot(NEW, ("GET",), ask_new, SESSION, on_problem=account_problem),
    Hot(NEW, ("POST",), create, SESSION, takes_form=True, on_problem=account_problem),
    Hot(ROTATE, ("GET",), ask_rotate, SESSION, on_problem=account_problem),
    Hot(ROTATE, ("POST",), rotate, SESSION, takes_form=True, on_problem=account_problem),
    Hot(REVOKE, ("GET",), ask_revoke, SESSION, on_problem=account_problem),
    Hot(REVOKE, ("POST",), revoke, SESSION, takes_form=True, on_problem=account_problem),
)
