"""Owns the page that follows adding a second factor, of whatever kind, and the one that asks before removing it."""

from typing import Final

from starlette.responses import Response

from ostiary.core.sessions.sessions import Session
from ostiary.core.signin.factors import Added
from ostiary.core.signin.ways import Enrolled
from ostiary.http.csrf import csrf_token
from ostiary.http.entrance import session_cookies
from ostiary.http.pages import page, see
from ostiary.http.shell import FactorPage
from ostiary.http.visit import Visit
from ostiary.kernel.errors import NOT_FOUND, Refused
from ostiary.kernel.secret import Secret

FACTORS: Final = "/account/factors"
SECTION: Final = "factors"


async def show_codes(visit: Visit, codes: tuple[Secret, ...], said: str = "") -> Response:
    """Backup codes, now and never again.

    Args:
        said: What else has happened.
    """
    return await page(visit, "codes.html", here=SECTION, added=said, codes=[one.reveal() for one in codes])


async def go_on_after_adding(visit: Visit, session: Session, added: Added, kind: FactorPage) -> Response:
    """What follows: the backup codes that came along, or the list. The session may have risen.

    Args:
        session: The one that added it.
    """
    cookies = session_cookies(visit, *added.renewed) if added.renewed else []
    if not added.spares:
        return see(f"{FACTORS}?added={kind.name}", cookies)
    # The request came with the session's old id, which is worth nothing any more.
    now = added.renewed[0] if added.renewed else session
    return await page(
        visit,
        "codes.html",
        headers=cookies,
        here=SECTION,
        csrf=csrf_token(visit.edge.core.ring, now.id),
        added="Your second step was added.",
        codes=[one.reveal() for one in added.spares],
    )


async def ask_before_removing(
    visit: Visit, kind: FactorPage, factor_id: str = "", template: str = "remove_factor.html"
) -> Response:
    """Asks whether to remove one; says so where it is the last one, and does not ask where it must stay.

    Args:
        template: A rib's own, which extends that one, if it has more to say.

    Raises:
        Refused: `fresh_authentication_required`, or `not_found`.
    """
    core, current = visit.edge.core, await visit.session()
    await core.factors.require(core.database, current.principal)
    account_id = current.principal.account_id
    listed = await core.factors.listing(core.database, account_id)
    return await page(
        visit,
        template,
        here=SECTION,
        kind=kind,
        one=_one(listed, kind, factor_id),
        is_last=await core.factors.is_last(core.database, account_id),
        stays=await core.factors.must_stay(core.database, account_id),
    )


def _one(listed: list[Enrolled], kind: FactorPage, factor_id: str) -> Enrolled:
    for one in listed:
        if (one.factor, one.id) == (kind.name, factor_id):
            return one
    raise Refused(NOT_FOUND, "no such factor of this account")
