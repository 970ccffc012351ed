"""Owns the page on which people change their name and what else is kept about them."""

import re
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.core.accounts.profile import LONGEST_NAME, Profile, ProfileField
from ostiary.features.account import flow
from ostiary.http.access import SESSION
from ostiary.http.forms import Form
from ostiary.http.pages import account_problem, page, query_of, see
from ostiary.http.routing import Hot
from ostiary.http.shell import AccountSection
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import Refused

PROFILE: Final = "/account/profile"

_PROFILE: Final = f"{__package__}/profile.html"
# Fields of the host's choosing, so that none of them can pass for one of the form's own.
_PREFIX: Final = "profile_"
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,16}", re.ASCII)
_NOTICES: Final = {"saved": "Your profile is saved."}


async def profile(request: Request) -> Response:
    """Name and fields, in a form."""
    visit = visit_of(request.scope)
    found = await flow.find_profile(visit.edge.core, (await visit.session()).principal)
    notice = _NOTICES.get(query_of(request, "done"), "")
    return await _page(visit, _filled(visit, found), found, notice=notice)


async def save(request: Request) -> Response:
    """Change what differs; mistakes are said next to their fields, all at once."""
    visit = visit_of(request.scope)
    core, who = visit.edge.core, (await visit.session()).principal
    form = Form(visit.form)
    values = {field.name: _typed(form, field) for field in _own(visit)}
    try:
        await flow.change_profile(core, visit.origin, who, form.value("name"), values)
    except Refused as refused:
        for error in refused.details.get("errors", ()):
            place, *inner = error["loc"]
            form.refuse(_PREFIX + inner[0] if inner else place, error["message"])
        if not form.errors:
            raise
        return await _page(visit, form, await flow.find_profile(core, who), refused.code.status)
    return see(f"{PROFILE}?done=saved")


def _own(visit: Visit) -> list[ProfileField]:
    return [field for field in flow.fields(visit.edge.core) if not field.read_only]


def _typed(form: Form, field: ProfileField) -> object:
    """What was typed, as JSON would say it; what is no number stays text, for the flow to refuse."""
    name = _PREFIX + field.name
    if field.kind == "flag":
        return form.flag(name)
    words = form.value(name)
    if not words.strip():
        return None
    is_number = field.kind == "number" and _NUMBER.fullmatch(words.strip())
    return int(words) if is_number else words


def _filled(visit: Visit, found: Profile) -> Form:
    stored = [(_PREFIX + field.name, found.values.get(field.name, "")) for field in _own(visit)]
    words = [
        (name, "on" if value is True else "" if value is False else str(value)) for name, value in stored
    ]
    return Form([("name", found.name), *words])


async def _page(visit: Visit, form: Form, found: Profile, status: int = 200, **more: Any) -> Response:
    shown = [
        (field.title, found.values[field.name])
        for field in flow.fields(visit.edge.core)
        if field.read_only and field.name in found.values
    ]
    return await page(
        visit,
        _PROFILE,
        status,
        here="profile",
        form=form,
        prefix=_PREFIX,
        fields=_own(visit),
        shown=shown,
        limit=LONGEST_NAME,
        **more,
    )


SECTION: Final = AccountSection(
    "profile", "Profile", 10, PROFILE, "Your name, and what else is known about you."
)
PAGES: Final = (
    Hot(PROFILE, ("GET",), profile, SESSION, on_problem=account_problem),
    Hot(PROFILE, ("POST",), save, SESSION, takes_form=True, on_problem=account_problem),
)
