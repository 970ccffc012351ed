"""Owns the questions that synchronous views and templates ask.

Asynchronous views write ``await request.ostiary.user()``. These raise `Refused`, which `OstiaryMiddleware` answers, and
`Misuse` where an event loop would stand still. A session that was asked for before, by a guard or with `await`, they
know without waiting, so a template in an asynchronous view may ask.
"""

from typing import Any

from ostiary.core.access.authority import Standing
from ostiary.core.accounts.accounts import Account
from ostiary.core.accounts.profile import Profile
from ostiary.core.api_keys.keys import ApiKey
from ostiary.core.sessions.sessions import Resolved, Session
from ostiary.integrations.demands import HostVisit
from ostiary.integrations.django.here import here_of
from ostiary.kernel.principal import Principal


def current_user(request: Any) -> Account:
    """The account of the person who asks, signed in or by an API key; 401 for nobody."""
    known = _known(request)
    return known.account if known else here_of(request).blocking(HostVisit.user)


def optional_user(request: Any) -> Account | None:
    """The account of the person who asks, or None."""
    here, known = here_of(request), _known(request)
    if known is not None:
        return known.account
    return None if here.is_nobody else here.blocking(HostVisit.user_or_nobody)


def current_session(request: Any) -> Session:
    """The session; an API key has none, and is refused."""
    return (_known(request) or here_of(request).blocking(HostVisit.proven)).session


def current_principal(request: Any) -> Principal:
    """On whose behalf the request is made, and how sure we are of it."""
    return (_known(request) or here_of(request).blocking(HostVisit.proven_caller)).principal


def current_api_key(request: Any) -> ApiKey:
    """The API key by which the request is made, for views that are for programs alone."""
    return here_of(request).blocking(HostVisit.key)


def current_standing(request: Any) -> Standing:
    """What whoever asks may do now; one more query."""
    return here_of(request).blocking(HostVisit.standing)


def current_profile(request: Any) -> Profile:
    """Name and profile fields of the person who asks; one more query."""
    return here_of(request).blocking(HostVisit.profile)


def csrf_token(request: Any) -> str:
    """The CSRF token for this browser's forms, as the field `csrf_token`; "" for whoever is not signed in."""
    here = here_of(request)
    if _known(request) is not None:
        return here.visit.cookies.csrf or ""
    return "" if here.is_nobody else here.blocking(HostVisit.csrf_token)


def _known(request: Any) -> Resolved | None:
    return here_of(request).known
