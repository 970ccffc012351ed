"""Owns the pages on which somebody adds a second factor who cannot sign in without one."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from ostiary.core.accounts.accounts import INVALID_CREDENTIALS
from ostiary.core.signin.door import ATTEMPT_INVALID
from ostiary.core.signin.enrolment import NOT_HERE, Shown
from ostiary.features.signin import flow
from ostiary.http.access import PUBLIC
from ostiary.http.arrival import ENROL, LACKING, go_on
from ostiary.http.cookies import Header
from ostiary.http.entrance import resume
from ostiary.http.forms import Form
from ostiary.http.pages import LOGIN, allow_redirect, leave_note, may_go, page, page_problem, read_note, see
from ostiary.http.problems import problem_from
from ostiary.http.routing import Hot
from ostiary.http.visit import Visit, visit_of
from ostiary.kernel.errors import Refused
from ostiary.kernel.secret import Secret

CONFIRM: Final = "/login/enrol/confirm"

_CHOOSE: Final = f"{__package__}/enrol.html"
_ADD: Final = f"{__package__}/enrol_code.html"
_LATE: Final = "late"


async def choose(request: Request) -> Response:
    """What can be added; once that is begun, what its owner needs and the field for the first code."""
    visit = visit_of(request.scope)
    told = read_note(visit, LACKING)
    if not told or visit.cookies.pre is None:
        return see(LOGIN)
    allow_redirect(visit, told["next"])
    shown = visit.edge.core.door.enrolment(await resume(visit), told["attempt"])
    if shown is not None:
        return await _add(visit, Form(), shown, told["next"])
    return await page(visit, _CHOOSE, attempt=told["attempt"], factors=_offered(visit), next=told["next"])


def _offered(visit: Visit) -> dict[str, str]:
    """What can be added in this browser, and the words of the buttons."""
    told, factors = read_note(visit, LACKING), visit.edge.core.factors
    names = [name for name in (told["factors"] if told else ()) if name in factors.enrollable]
    # Browsers know no ceremony on bare addresses.
    works = [name for name in names if visit.edge.base.is_name or not factors.by_name[name].is_ceremony]
    return {name: factors.enrollable[name].adding for name in works}


async def begin(request: Request) -> Response:
    """Draw what the factor is made of, and show it on the page that follows."""
    visit = visit_of(request.scope)
    form = Form(visit.form)
    destination = may_go(visit, form.value("next"))
    try:
        begun = await visit.edge.core.door.begin_enrolment(
            await resume(visit), form.value("attempt"), form.value("factor")
        )
    except Refused as refused:
        if refused.code in (ATTEMPT_INVALID, INVALID_CREDENTIALS, NOT_HERE):
            return see(f"{LOGIN}?done={_LATE}")
        raise
    note = leave_note(visit, LACKING, attempt=begun.attempt, factors=list(_offered(visit)), next=destination)
    return see(ENROL, [note])


async def confirm(request: Request) -> Response:
    """The first code, or what the browser made: the factor counts, somebody is signed in, backup codes are shown."""
    visit = visit_of(request.scope)
    form = Form(visit.form)
    destination = may_go(visit, form.value("next"))
    response = form.value("response")
    code = Secret(response) if response else form.secret("code", missing="Enter the code.")
    entry = await resume(visit)
    shown = visit.edge.core.door.enrolment(entry, form.value("attempt"))
    if shown is None:
        return see(f"{LOGIN}?done={_LATE}")
    if form.errors:
        return await _add(visit, form, shown, destination, 422)
    try:
        outcome = await visit.edge.core.door.proceed(entry, shown.attempt, shown.factor, code)
    except Refused as refused:
        if refused.code is INVALID_CREDENTIALS:
            if response:
                form.refuse("", "That did not work, or it took too long. Try again.")
            else:
                form.refuse("code", "This code is wrong. Enter the one that is shown now.")
            return await _add(visit, form, shown, destination, 401, problem_from(refused, visit).headers)
        if refused.code in (ATTEMPT_INVALID, NOT_HERE):
            return see(f"{LOGIN}?done={_LATE}")
        raise
    return await go_on(visit, outcome, entry.pre_session, destination)


async def _add(
    visit: Visit,
    form: Form,
    shown: Shown,
    destination: str,
    status: int = 200,
    headers: list[Header] | tuple[Header, ...] = (),
) -> Response:
    allow_redirect(visit, destination)
    factors = visit.edge.core.factors
    factor = factors.enrollable[shown.factor]
    others = {name: words for name, words in _offered(visit).items() if name != shown.factor}
    return await page(
        visit,
        _ADD,
        status,
        headers,
        form=form,
        attempt=shown.attempt,
        title=factor.adding,
        how=factor.how,
        factor=shown.factor,
        is_ceremony=factors.by_name[shown.factor].is_ceremony,
        needed=shown.plain(),
        others=others,
        limit=flow.LONGEST_CODE,
        next=destination,
    )


PAGES: Final = (
    Hot(ENROL, ("GET",), choose, PUBLIC, on_problem=page_problem),
    Hot(ENROL, ("POST",), begin, PUBLIC, takes_form=True, on_problem=page_problem),
    Hot(CONFIRM, ("POST",), confirm, PUBLIC, takes_form=True, on_problem=page_problem),
)
