"""Owns what the door needs of a request, and what signing in and out put into the response, for every way in."""

from datetime import datetime, timedelta

from ostiary.core.accounts.accounts import Account
from ostiary.core.sessions.sessions import Resolved, Session
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


def _keep_for(session: Session, now: datetime) -> timedelta | None:
    """How long browsers keep a session's cookies; None: until they are closed."""
    return session.expires_at - now if session.is_remembered else None


def csrf_cookie(visit: Visit, session: Session) -> Header:
    """The cookie with a session's CSRF token, without which scripts can make no unsafe call."""
    token = csrf_token(visit.edge.core.ring, session.id)
    return visit.edge.cookies.set_csrf(token, _keep_for(session, visit.edge.core.world.now()))


def take_back(visit: Visit) -> list[Header]:
    """What signing out puts into the response: the cookies go, and so does what the browser has kept of our pages."""
    return [*visit.edge.cookies.clear_session(), (b"clear-site-data", b'"cache"')]


def session_cookies(visit: Visit, session: Session, token: Secret) -> list[Header]:
    """The cookies of a session that has just begun, or just got another id (`Sessions.renew`)."""
    kept_for = _keep_for(session, session.last_seen_at)  # this very moment, exactly
    return [visit.edge.cookies.set_session(token, kept_for), csrf_cookie(visit, session)]


def renewed_cookies(
    visit: Visit, before: Account, after: Account, session: Session, token: Secret
) -> list[Header]:
    """The cookies of a session that went on under another id, when its account's epoch was raised.

    Args:
        before: The account before the change.
        after: The account now. A browser that it knew before, it knows still.
    """
    cookies, known = visit.edge.cookies, visit.edge.core.door.known
    headers = session_cookies(visit, session, token)
    if known.hit(visit.cookies.known, before.id, before.security_epoch) is not None:
        note = known.remember(visit.cookies.known, after.id, after.security_epoch)
        headers.append(cookies.set_known(note, KNOWN_FOR))
    return headers


def hand_out(visit: Visit, outcome: SignedIn) -> list[Header]:
    """The cookies of a session that has just begun."""
    core, cookies, account = visit.edge.core, visit.edge.cookies, outcome.account
    headers = [
        *session_cookies(visit, outcome.session, outcome.token),
        cookies.set_known(
            core.door.known.remember(visit.cookies.known, account.id, account.security_epoch), KNOWN_FOR
        ),
    ]
    if visit.cookies.pre is not None:
        headers.append(cookies.clear_pre())
    return headers
