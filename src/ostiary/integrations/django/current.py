"""Owns the questions that synchronous views ask; in asynchronous ones write ``await request.ostiary.user()``.

They raise `Refused`, which `OstiaryMiddleware` answers, and `Misuse` where an event loop would stand still.
"""

from typing import Any

from ostiary.core.access.authority import Standing
from ostiary.core.accounts.accounts import Account
from ostiary.core.accounts.profile import Profile
from ostiary.core.sessions.sessions import Session
from ostiary.integrations.demands import HostVisit
from ostiary.integrations.django.here import here_of
from ostiary.kernel.principal import Principal


def current_user(request: Any) -> Account:
    """The account of the person who asks, signed in or by an API key; 401 for nobody."""
    return here_of(request).blocking(HostVisit.user)


def optional_user(request: Any) -> Account | None:
    """The account of the person who asks, or None."""
    return here_of(request).blocking(HostVisit.user_or_nobody)


def current_session(request: Any) -> Session:
    """The session."""
    return here_of(request).blocking(HostVisit.proven).session


def current_principal(request: Any) -> Principal:
    """On whose behalf the request is made, and how sure we are of it."""
    return here_of(request).blocking(HostVisit.proven_caller).principal


def current_standing(request: Any) -> Standing:
    """What whoever is signed in may do now; one more query."""
    return here_of(request).blocking(HostVisit.standing)


def current_profile(request: Any) -> Profile:
    """Name and profile fields of the account that is signed in; one more query."""
    return here_of(request).blocking(HostVisit.profile)


def csrf_token(request: Any) -> str:
    """The CSRF token for this browser's forms, as the hidden field `csrf_token`; "" for whoever is not signed in."""
    return here_of(request).blocking(HostVisit.csrf_token)
