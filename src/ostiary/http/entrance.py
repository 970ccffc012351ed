"""Owns what the door needs of a request and what a sign-in puts into the response, for every way in."""

from ostiary.core.sessions.sessions import Resolved
from ostiary.core.signin.door import Entry, SignedIn
from ostiary.core.signin.known import LIFETIME as KNOWN_FOR
from ostiary.http.cookies import Header
from ostiary.http.csrf import csrf_token
from ostiary.http.visit import Visit
from ostiary.kernel.errors import Refused
from ostiary.kernel.principal import Principal
from ostiary.kernel.secret import Secret


async def whose(visit: Visit) -> Resolved | None:
    """The live session that this browser brings along, if any."""
    if visit.cookies.session is None:
        return None
    try:
        return await visit.session()
    except Refused:
        return None


async def present(visit: Visit) -> Principal | None:
    """Whose live session this browser brings along; it ends when another one begins (S-D1)."""
    found = await whose(visit)
    return None if found is None else found.principal


async def begin(visit: Visit, *, remember: bool, code: str | None = None) -> Entry:
    """How somebody stands at the door who begins to sign in.

    Args:
        remember: Whether the session shall outlast the browser.
        code: A second factor sent along.
    """
    # Always a new one: a planted cookie binds nothing, and beginning as somebody else ends what was begun before (L02).
    pre = visit.edge.core.world.token().reveal()
    known = visit.cookies.known
    return Entry(visit.origin, remember, pre, Secret(code) if code else None, await present(visit), known)


async def resume(visit: Visit) -> Entry:
    """How somebody stands at the door whose sign-in waits for a factor."""
    return Entry(
        visit.origin,
        pre_session=visit.cookies.pre or "",
        replaces=await present(visit),
        known_browser=visit.cookies.known,
    )


def hand_out(visit: Visit, outcome: SignedIn) -> list[Header]:
    """The cookies of a session that has just begun."""
    core, cookies, session = visit.edge.core, visit.edge.cookies, outcome.session
    keep_for = session.expires_at - session.created_at if session.is_remembered else None
    account = outcome.account
    headers = [
        cookies.set_session(outcome.token, keep_for),
        cookies.set_csrf(csrf_token(core.ring, session.id), keep_for),
        cookies.set_known(
            core.door.known.remember(visit.cookies.known, account.id, account.security_epoch), KNOWN_FOR
        ),
    ]
    if visit.cookies.pre is not None:
        headers.append(cookies.clear_pre())
    return headers
