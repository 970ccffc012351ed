"""Owns what the door needs of a request, and what signing in and out put into the response, for every way in."""

from datetime import datetime, timedelta

from ostiary.core.accounts.accounts import Account
from ostiary.core.sessions.sessions import Admit, Resolved, Session
from ostiary.core.signin.entry import Entry
from ostiary.core.signin.known import LIFETIME as KNOWN_FOR
from ostiary.core.signin.outcome import SignedIn
from ostiary.core.tokens.settings import COOKIE, TOKENS, Delivery
from ostiary.core.tokens.tokens import Holder, Pair
from ostiary.http.cookies import Header
from ostiary.http.csrf import csrf_token
from ostiary.http.delivery import judge_delivery, pair_cookies, refresh_cookie
from ostiary.http.visit import Visit
from ostiary.kernel.errors import Refused
from ostiary.kernel.principal import Principal
from ostiary.kernel.secret import Secret


async def signed_in(visit: Visit) -> Resolved | None:
    """The live session that this browser brings along and may use from where it is, if any."""
    return await whose(visit, visit.admit)


async def whose(visit: Visit, admit: Admit | None = None) -> Resolved | None:
    """The live session that this browser brings along, if any; without `admit` only to be ended."""
    if visit.cookies.session is None and visit.cookies.access is None:
        return None
    try:
        return await visit.browser_session(admit)
    except Refused:
        return None


async def lapsed(visit: Visit) -> Resolved | None:
    """The live session of an access cookie whose token has expired: to end it, for it signs nobody in."""
    if visit.cookies.session is not None or visit.cookies.access is None:
        return None
    holder = await visit.edge.core.tokens.owner(access=visit.cookies.access)
    return None if holder is None else holder.resolved


async def present(visit: Visit) -> Principal | None:
    """Whose live session this browser brings along; it ends when another one begins (S-D1).

    Cookies with tokens hold one also when the access token has expired, for the refresh token is still good.
    """
    found = await whose(visit) or await lapsed(visit)
    if found is None and (token := _refresh_token(visit)) is not None:
        holder = await visit.edge.core.tokens.owner(refresh_token=token)
        found = None if holder is None else holder.resolved
    return None if found is None else found.principal


def _refresh_token(visit: Visit) -> Secret | None:
    try:
        cookie = refresh_cookie(visit)
    except Refused:
        return None  # without its CSRF token it says nothing, and keeps nobody from signing in
    return None if cookie is None else cookie[1]


async def everyone(visit: Visit, refresh_token: str | None = None) -> list[Holder]:
    """Every live session that the request speaks for, by whatever it brought along, for ending them.

    An access token that has expired and a refresh token that was used before name their session all the same.

    Args:
        refresh_token: From the body.

    Raises:
        Refused: `csrf_failed`; a refresh cookie came without it.
    """
    tokens = visit.edge.core.tokens
    cookie = refresh_cookie(visit)
    resolved = await whose(visit)
    found = [
        *[await tokens.owner(access=token) for token in (visit.bearer, visit.cookies.access) if token],
        *[
            await tokens.owner(refresh_token=token)
            for token in (Secret(refresh_token) if refresh_token else None, cookie[1] if cookie else None)
            if token
        ],
        None if resolved is None else Holder(resolved, is_current=True),
    ]
    # Of several that name the same session the one counts that still signs in.
    ranked = sorted((who for who in found if who is not None), key=lambda who: who.is_current)
    return list({who.resolved.session.id: who for who in ranked}.values())


async def begin(
    visit: Visit,
    *,
    remember: bool,
    code: str | None = None,
    delivery: Delivery = COOKIE,
    trust_device: bool = False,
) -> Entry:
    """How somebody stands at the door who begins to sign in.

    Args:
        remember: Whether the session shall outlast the browser.
        code: A second factor sent along.
        delivery: How the session shall be handed out.
        trust_device: Whether this browser shall be trusted, if that second factor is right.

    Raises:
        Refused: `delivery_not_allowed`.
    """
    judge_delivery(visit, delivery)
    # Always a new one: a planted cookie binds nothing, and beginning as somebody else ends what was begun before (L02).
    # What is begun for tokens is bound to no browser: the sealed attempt itself is what its holder has.
    pre = "" if delivery == TOKENS else visit.edge.core.world.token().reveal()
    return Entry(
        visit.origin,
        remember,
        pre,
        Secret(code) if code else None,
        await present(visit),
        visit.cookies.known,
        delivery,
        visit.cookies.trust,
        trust_device,
    )


def keep_browser(visit: Visit) -> tuple[str, Header]:
    """The cookie that binds what is begun before anybody is known, and the header that keeps it in the browser.

    One that is there stays: a sign-in that waits, or a link that was mailed, may be bound to it.
    """
    browser = visit.cookies.pre or visit.edge.core.world.token().reveal()
    return browser, visit.edge.cookies.set_pre(browser)


async def resume(visit: Visit, delivery: Delivery = COOKIE, *, trust_device: bool = False) -> Entry:
    """How somebody stands at the door whose sign-in waits for a factor.

    Args:
        delivery: As at the beginning.
        trust_device: Whether this browser shall be trusted, if the factor is right.

    Raises:
        Refused: `delivery_not_allowed`.
    """
    judge_delivery(visit, delivery)
    return Entry(
        visit.origin,
        pre_session="" if delivery == TOKENS else visit.cookies.pre or "",
        replaces=await present(visit),
        known_browser=visit.cookies.known,
        delivery=delivery,
        trust=visit.cookies.trust,
        wants_trust=trust_device,
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
    """The cookies of a session that just got another id (`Sessions.renew`).

    A session that no cookie has kept so far does not become a browser's: who holds tokens signs in again.
    """
    if visit.bearer is not None or visit.cookies.session is None:
        return []
    return _of_session(visit, session, token)


def _of_session(visit: Visit, session: Session, token: Secret) -> list[Header]:
    kept_for = _keep_for(session, session.last_seen_at)  # this very moment, exactly
    return [visit.edge.cookies.set_session(token, kept_for), csrf_cookie(visit, session)]


def renewed_cookies(
    visit: Visit,
    before: Account,
    after: Account,
    session: Session | None,
    token: Secret,
    pair: Pair | None = None,
) -> list[Header]:
    """The cookies of a session that went on under another id, when its account's epoch was raised.

    Args:
        before: The account before the change.
        after: The account now. A browser that it knew before, it knows still.
        session: None when it ended.
        pair: Its new tokens, where cookies hold tokens.
    """
    if session is None:
        return []
    cookies, known = visit.edge.cookies, visit.edge.core.door.known
    headers = session_cookies(visit, session, token) if pair is None else pair_cookies(visit, pair)
    if known.hit(visit.cookies.known, before.id, before.security_epoch) is not None:
        note = known.remember(visit.cookies.known, after.id, after.security_epoch)
        headers.append(cookies.set_known(note, KNOWN_FOR))
    return headers


def hand_out(visit: Visit, outcome: SignedIn) -> list[Header]:
    """The cookies of a session that has just begun; none when it is delivered as tokens in the body."""
    core, cookies, account = visit.edge.core, visit.edge.cookies, outcome.account
    pair = outcome.tokens
    if pair is not None and pair.delivery == TOKENS:
        return []
    headers = [
        *(_of_session(visit, outcome.session, outcome.token) if pair is None else pair_cookies(visit, pair)),
        *cookies.clear_other(visit.cookies, has_tokens=pair is not None),
        cookies.set_known(
            core.door.known.remember(visit.cookies.known, account.id, account.security_epoch), KNOWN_FOR
        ),
    ]
    if outcome.trusted is not None:
        headers.append(cookies.set_trust(outcome.trusted.cookie, outcome.trusted.keep_for))
    if visit.cookies.pre is not None:
        headers.append(cookies.clear_pre())
    return headers
