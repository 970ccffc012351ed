"""Owns the demands that a host's routes make of a request: who may go on, how fresh the proof is, how often.

A *demand* is an async function of one `HostVisit` that raises what is then answered with `refusal`. It knows no
framework; each framework makes the visit, asks the demands before its route runs, and adds `reply_headers` to whatever
is answered.
"""

import inspect
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final, Literal, get_args

from starlette.responses import Response
from starlette.types import Scope

from ostiary.core.access.authority import Standing
from ostiary.core.access.permission import permission
from ostiary.core.accounts import profile as profiles
from ostiary.core.accounts.accounts import Account
from ostiary.core.accounts.profile import Profile
from ostiary.core.accounts.settings import AccountSettings
from ostiary.core.api_keys.keys import MISSING, PERSON_REQUIRED, ApiKey, ResolvedKey
from ostiary.core.keys.ring import framed
from ostiary.core.networks.networks import NETWORK_REFUSED
from ostiary.core.sessions.sessions import NOT_AUTHENTICATED, Resolved, refuse_unless_fresh
from ostiary.core.signin.factors import refuse_unless_two_factors
from ostiary.core.throttle.limits import Hit, HostWindow
from ostiary.http.csrf import CSRF_FAILED, SAFE_METHODS, check_csrf, cross_site_reason
from ostiary.http.edge import Edge
from ostiary.http.problems import Headers, answer_to, limit_headers
from ostiary.http.visit import Visit
from ostiary.integrations.caches import personal
from ostiary.integrations.pages import Pages, page_or_problem
from ostiary.kernel.errors import Misuse, Refused, Unavailable
from ostiary.kernel.settings import Rate

Fields = tuple[tuple[str, str], ...]
Subject = str | tuple[str, ...]
Acr = Literal["own", "1", "2"]
By = Literal["network", "account", "caller"] | Callable[[Any], Subject | Awaitable[Subject]]

_FORMS: Final = (b"application/x-www-form-urlencoded", b"multipart/form-data")
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}", re.ASCII)

_PAGES: Final = Pages()


class HostVisit(Visit):
    """A request to one of the host's own routes.

    Attributes:
        request: The framework's own request, for functions of the host such as a rate limit's `by`.
        endpoint: What runs if every demand is met, as ``module.function``; a rate limit without a name counts by it.
        pages: Which requests want a page; the host's `Ostiary.pages`.
        read_form: Reads the fields of a form; asked only for a form that a live session sent without the header.
    """

    __slots__ = ("_proven", "_standing", "endpoint", "pages", "read_form", "request")

    def __init__(self, edge: Edge, scope: Scope, path: str = "") -> None:
        super().__init__(edge, scope, path)
        self.request: Any = None
        self.endpoint = ""
        self.pages = _PAGES
        self.read_form: Callable[[], Awaitable[Fields]] | None = None
        self._standing: Standing | None = None
        self._proven = ""

    async def prove(self) -> None:
        """The check that every guard which accepts a cookie owes (E3): unsafe calls need CSRF proof.

        A WebSocket's handshake is a GET that can do anything afterwards, and scripts of other sites may begin one; so
        its origin is judged.

        Raises:
            Refused: `csrf_failed`, or `network_refused`.
        """
        method = self._method
        if self._proven == method:  # what runs inside of the host may have made another method of it
            return
        await self.admit_stranger()
        if self.scope["type"] == "websocket":
            headers = self.headers
            reason = cross_site_reason(
                headers.get(b"origin"), headers.get(b"sec-fetch-site"), self.edge.origins
            )
            if reason is not None:
                raise Refused(CSRF_FAILED, reason, counted=False)
        elif method not in SAFE_METHODS:
            await self._find_token()
            await check_csrf(self)
        self._proven = method

    async def _find_token(self) -> None:
        """Look for the token in the form of a live session."""
        if self.read_form is not None and await self.wants_form():
            self.form = await self.read_form()

    async def wants_form(self) -> bool:
        """Whether the token is looked for in the form: that of a live session that sent no header.

        Frameworks whose forms are read in the request's own thread ask before, and fill `form` themselves.
        """
        if self.form or b"x-csrf-token" in self.headers or not self.has_credential:
            return False
        if self.scope["method"] in SAFE_METHODS:
            return False
        if not self.headers.get(b"content-type", b"").lower().startswith(_FORMS):
            return False
        try:
            await self.session()
        except Refused:
            return False  # nobody's form is worth reading
        return True

    async def proven(self) -> Resolved:
        """The live session, after the check that is owed.

        Raises:
            Refused: 401, or `csrf_failed`.
        """
        await self.prove()
        return await self.session()

    async def proven_caller(self) -> Resolved | ResolvedKey:
        """Whoever asks, by a live session or by an API key, after the check that is owed.

        Raises:
            Refused: 401, `csrf_failed`, or `too_many_attempts` for a network that has sent too many wrong keys.
        """
        await self.prove()
        return await self.caller()

    async def key(self) -> ApiKey:
        """The API key by which the request is made, for routes that are for programs alone.

        Raises:
            Refused: `api_key_missing`; as `proven_caller`.
        """
        if self.api_key is None:
            raise Refused(MISSING, "no key was sent", counted=False)
        await self.prove()
        return (await self.by_key(self.api_key)).key

    async def user(self) -> Account:
        """The account of the person who asks, by a live session or by an API key.

        Raises:
            Refused: as `proven_caller`; `person_required` for the key of a service.
        """
        account = (await self.proven_caller()).account
        if account.is_service:
            raise Refused(PERSON_REQUIRED, "a service's key", counted=False)
        return account

    async def user_or_nobody(self) -> Account | None:
        """The same; None for whoever sends nothing, or nothing that is good any more or from here, and for a service.

        Raises:
            Refused: `csrf_failed`, or `too_many_attempts`.
        """
        try:
            await self.prove()
            account = (await self.caller()).account if self.has_credential else None
        except Refused as refused:
            if _is_nobody(refused):
                return None
            raise
        if account is None:
            return None
        return None if account.is_service else account

    async def proven_or_nobody(self) -> Resolved | None:
        """The live session; None without one or from a refused network, and with a dead cookie, which is cleared.

        Raises:
            Refused: `csrf_failed`.
        """
        try:
            await self.prove()
            if not self.has_credential or self.api_key is not None:
                return None
            return await self.session()
        except Refused as refused:
            if _is_nobody(refused):
                return None
            raise

    @property
    def known(self) -> Resolved | None:
        """The live session if it was asked for already, with the check that is owed; asks nothing."""
        return self._resolved if self._proven == self._method else None

    @property
    def was_asked(self) -> bool:
        """Whether anything depended on who asks."""
        return bool(self._proven)

    @property
    def _method(self) -> str:
        method: str = self.scope.get("method", "websocket")
        return method

    async def standing(self) -> Standing:
        """What whoever asks may do now; one more query, once per request. A key never may more than its scopes say.

        Raises:
            Refused: as `proven_caller`.
        """
        who = (await self.proven_caller()).principal
        if self._standing is None:
            core = self.edge.core
            self._standing = await core.authority.standing(core.database, who)
        return self._standing

    async def profile(self) -> Profile:
        """Name and profile fields of the account that is signed in; one more query.

        Raises:
            Refused: as `user`.
        """
        account, core = await self.user(), self.edge.core
        found = await profiles.find(
            core.database, core.settings.of(AccountSettings).profile_fields, account.id
        )
        if found is None:
            raise Refused(NOT_AUTHENTICATED, "the account was deleted meanwhile")
        return found

    async def csrf_token(self) -> str:
        """The CSRF token for this browser's forms; "" for whoever is not signed in."""
        return (self.cookies.csrf or "") if await self.proven_or_nobody() else ""


def _is_nobody(refused: Refused) -> bool:
    """Whether what is also for nobody goes on: no credential that is good, or none that is good from here."""
    return refused.code.status == 401 or refused.code is NETWORK_REFUSED


Demand = Callable[[HostVisit], Awaitable[None]]


def name_of(endpoint: Any) -> str:
    """What a function that answers requests is called, for `HostVisit.endpoint`."""
    while isinstance(endpoint, partial):
        endpoint = endpoint.func
    named = endpoint if hasattr(endpoint, "__qualname__") else type(endpoint)
    return f"{named.__module__}.{named.__qualname__}"


def signed_in() -> Demand:
    """Demands that somebody asks: by a live session, or by an API key."""

    async def demand(visit: HostVisit) -> None:
        await visit.proven_caller()

    return demand


def permissions(*words: str) -> Demand:
    """Demands every one of some permissions, held in general.

    Raises:
        Misuse: one of them is no permission.
    """
    asked = tuple(permission(one) for one in words)
    if not asked:
        raise Misuse("a guard without a permission lets everybody in; name one, or ask for `signed_in`")

    async def demand(visit: HostVisit) -> None:
        standing = await visit.standing()
        for one in asked:
            standing.require(one)

    return demand


def roles(*names: str) -> Demand:
    """Demands any one of some roles, or one that inherits it; held everywhere, and never by an API key with scopes."""
    if not names:
        raise Misuse("a guard without a role lets nobody in; name one")

    async def demand(visit: HostVisit) -> None:
        (await visit.standing()).require_role(*names)

    return demand


def fresh(minutes: float, acr: Acr = "own") -> Demand:
    """Demands a recent proof (RFC 9470), which no API key gives.

    Args:
        minutes: How old the last proof may be.
        acr: What the session must have shown: "own", a second factor if the account has one; "2", a second factor; "1",
            whatever signs in.

    Raises:
        Misuse: `acr` is none of these.
    """
    if acr not in get_args(Acr):
        raise Misuse(f"requires_fresh(acr={acr!r}): write one of {', '.join(map(repr, get_args(Acr)))}")
    limit = timedelta(minutes=minutes)

    async def demand(visit: HostVisit) -> None:
        who, core = (await visit.proven()).principal, visit.edge.core
        refuse_unless_fresh(who, limit, core.world.now())
        if acr == "2":
            refuse_unless_two_factors(who)
        elif acr == "own":
            await core.factors.require_level(core.database, who)

    return demand


def rate_limit(rate: str, by: By = "network", name: str = "") -> Demand:
    """Demands that a route is not called too often; exact in every process, since the database counts.

    Args:
        rate: ``"5/15m"``, ``"30/h"``: so many in a sliding window.
        by: Whom it counts: `network` (an IPv4 address or an IPv6 /64), `account` (whoever is not signed in is refused),
            `caller` (each API key by itself, and people by account), or your own function from the framework's request
            to text, or to several texts.
        name: Guards of one name and rate share their count, and the headers name it. Without one every function that
            answers requests has a count of its own.

    Raises:
        Misuse: the rate, `by` or the name is none.
    """
    try:
        parsed = Rate.parse(rate)
    except ValueError as error:
        raise Misuse(f"rate_limit({rate!r}): {error}") from None
    if by not in ("network", "account", "caller") and not callable(by):
        raise Misuse(f'rate_limit(by={by!r}): write "network", "account", "caller", or give a function')
    if name and not _NAME.fullmatch(name):
        raise Misuse(f"rate_limit(name={name!r}): up to 64 lower-case letters, digits, - and _")

    async def demand(visit: HostVisit) -> None:
        # A name holds no dot, and an endpoint does: neither can pass for the other. Two rates never share a count.
        window = HostWindow(
            f"{name or visit.endpoint or '.'} {parsed}", parsed, by == "network", policy=name or str(parsed)
        )
        subject = await _subject(visit, by)
        async with visit.edge.core.runner.flow(visit.origin) as flow:
            await flow.reserve(Hit(window, subject))

    return demand


async def _subject(visit: HostVisit, by: By) -> str:
    if by == "network":
        return visit.origin.network
    if by == "account" or by == "caller":  # noqa: PLR1714 - mypy narrows no tuple
        who = (await visit.proven_caller()).principal
        if by == "caller" and who.api_key_id is not None:
            return _whole("api_key", who.api_key_id)
        return _whole("account", who.account_id)
    found = by(visit.request)
    if inspect.isawaitable(found):
        found = await found
    parts = (found,) if isinstance(found, str) else tuple(found)
    if not parts or not all(isinstance(part, str) for part in parts):
        raise Misuse("the function that a rate limit counts by returns text, or a tuple of texts")
    return _whole("function", *parts)


def _whole(*parts: str) -> str:
    # What a function took out of a request may be no proper Unicode.
    return framed(*(part.encode("utf-8", "surrogatepass") for part in parts)).hex()  # L22


def refusal(error: Refused | Unavailable, visit: HostVisit) -> Response:
    """The answer to what a demand raised: the same problem document as on our own routes, or the sign-in page."""
    if visit.pages.wants(visit):
        visit.on_problem = page_or_problem
    response = answer_to(error, visit)
    response.headers["cache-control"] = "no-store"
    return response


def reply_headers(visit: HostVisit, given: Headers) -> Headers:
    """What an answer to this request lacks: rate limits met, a dead cookie's end, and what caches must know.

    Args:
        given: The answer's own headers.
    """
    out: Headers = []
    origin = visit.known_origin
    if origin is not None and origin.quotas:
        out += limit_headers(origin.quotas)
    if visit.is_stale:
        out += visit.edge.cookies.clear_session()
    return out + personal(given) if visit.was_asked else out
