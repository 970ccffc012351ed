"""Owns the Starlette face of ostiary.

auth = Ostiary(database="sqlite:///auth.db", dev=True)

@requires("notes:read")
async def notes(request: Request) -> Response:
    user = await current_user(request)
    return JSONResponse({"hello": user.email})

app = Starlette(routes=[Route("/notes", notes)])
auth.install(app)
"""

import inspect
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Final, TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from ostiary.core.access.authority import Standing
from ostiary.core.access.expression import principal, row
from ostiary.core.access.policy import Kind, Policy
from ostiary.core.access.roles import Role
from ostiary.core.accounts.accounts import Account as User
from ostiary.core.accounts.profile import Profile, ProfileField
from ostiary.core.api_keys.keys import ApiKey
from ostiary.core.sessions.sessions import Session
from ostiary.integrations import beside, demands, host
from ostiary.integrations.demands import By, Demand, name_of
from ostiary.integrations.guarded import Guarded, ask
from ostiary.integrations.security_headers import SecurityHeaders
from ostiary.kernel.errors import Misuse
from ostiary.kernel.principal import Principal

__all__ = [
    "Guard",
    "Guarded",
    "Kind",
    "Ostiary",
    "Policy",
    "Profile",
    "ProfileField",
    "Role",
    "SecurityHeaders",
    "User",
    "csrf_token",
    "current_api_key",
    "current_principal",
    "current_profile",
    "current_session",
    "current_standing",
    "current_user",
    "optional_user",
    "principal",
    "rate_limit",
    "requires",
    "requires_fresh",
    "requires_role",
    "row",
    "signed_in",
]

E = TypeVar("E")


class Ostiary(host.Ostiary):
    """ostiary inside a Starlette application; see `ostiary.integrations.host.Ostiary` for the arguments."""

    def install(self, app: Starlette) -> None:
        """Add ostiary's routes beside the application's, support its guards, and share its lifespan.

        Raises:
            Misuse: the application has begun to serve, or ostiary was installed on it before. When it starts: it has
                routes of its own at ostiary's paths.
        """
        beside.install(app, self)


class Guard:
    """A demand as a decorator of an endpoint (a function, a method, a class or an ASGI app), and for `Guarded`.

    Attributes:
        demand: What is demanded.
    """

    def __init__(self, demand: Demand) -> None:
        self.demand: Final = demand

    def __call__(self, endpoint: E) -> E:
        """The endpoint behind this guard."""
        inner: Any = endpoint
        while isinstance(inner, partial):
            inner = inner.func
        make = _function if inspect.isroutine(inner) else _App
        guarded: Any = make(endpoint, self.demand)
        return guarded  # type: ignore[no-any-return]


def _function(endpoint: Any, demand: Demand) -> Callable[..., Any]:
    is_async = inspect.iscoroutinefunction(endpoint)

    @wraps(endpoint)
    async def guarded(*args: Any, **kwargs: Any) -> Any:
        for one in (*args, *kwargs.values()):
            if isinstance(one, HTTPConnection):
                await demand(beside.visit_for(one))
                break
        else:
            raise Misuse(f"{name_of(endpoint)} is guarded, so it takes the request or the WebSocket")
        return await (endpoint if is_async else _in_thread(endpoint))(*args, **kwargs)

    return guarded


def _in_thread(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return run_in_threadpool(endpoint, *args, **kwargs)

    return call


class _App:
    """A class-based endpoint, or any ASGI app, behind a guard."""

    def __init__(self, endpoint: Any, demand: Demand) -> None:
        self._app: ASGIApp = endpoint
        self._demand = demand
        self.__qualname__ = getattr(endpoint, "__qualname__", type(endpoint).__qualname__)
        self.__name__ = self.__qualname__
        self.__module__ = endpoint.__module__

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await ask((self._demand,), self._app, scope, receive, send)


def signed_in() -> Guard:
    """Demands that somebody asks, by a live session or an API key."""
    return Guard(demands.signed_in())


def requires(*permissions: str) -> Guard:
    """Demands every one of some permissions; answers 403 `permission_denied` and names what is missing.

    Args:
        permissions: ``resource:action``, held in general; for one thing ask `current_standing` once you have it.

    Raises:
        Misuse: one of them is no permission.
    """
    return Guard(demands.permissions(*permissions))


def requires_role(*roles: str) -> Guard:
    """Demands any one of some roles, or one that inherits it; held everywhere.

    Prefer `requires`: a permission says what is done, a role who did it on the day when this was written.
    """
    return Guard(demands.roles(*roles))


def requires_fresh(minutes: float, acr: demands.Acr = "own") -> Guard:
    """Demands a recent proof; answers 401 `fresh_authentication_required` (RFC 9470).

    Args:
        minutes: How old the last proof may be.
        acr: What the session must have shown: "own", a second factor if the account has one; "2", a second factor; "1",
            whatever signs in.
    """
    return Guard(demands.fresh(minutes, acr))


def rate_limit(rate: str, by: By = "network", name: str = "") -> Guard:
    """Demands that a route is not called too often; answers 429 with `RateLimit` and `Retry-After` headers.

    Args:
        rate: ``"5/15m"``, ``"30/h"``: so many in a sliding window, counted in the database for all processes.
        by: `network` (an IPv4 address or an IPv6 /64), `account` (401 for whoever is not signed in),
            `caller` (each API key by itself, and people by account), or a function from the `Request` to text or
            several texts, such as a customer's number.
        name: Guards of one name and rate count together; without one every endpoint counts alone.

    Raises:
        Misuse: the rate, `by` or the name is none.
    """
    return Guard(demands.rate_limit(rate, by, name))


async def current_user(connection: HTTPConnection) -> User:
    """The account of the person who asks, signed in or by an API key; nobody is refused with 401."""
    return await beside.visit_for(connection).user()


async def optional_user(connection: HTTPConnection) -> User | None:
    """The account of the person who asks, or None."""
    return await beside.visit_for(connection).user_or_nobody()


async def current_session(connection: HTTPConnection) -> Session:
    """The session; 401 without one, 403 for an API key."""
    return (await beside.visit_for(connection).proven()).session


async def current_principal(connection: HTTPConnection) -> Principal:
    """On whose behalf the request is made, and how sure we are of it; 401 for nobody."""
    return (await beside.visit_for(connection).proven_caller()).principal


async def current_api_key(connection: HTTPConnection) -> ApiKey:
    """The API key by which the request is made, for routes that are for programs alone; 401 without one."""
    return await beside.visit_for(connection).key()


async def current_standing(connection: HTTPConnection) -> Standing:
    """What whoever is signed in may do now; one more query, once per request."""
    return await beside.visit_for(connection).standing()


async def current_profile(connection: HTTPConnection) -> Profile:
    """Name and profile fields of the account that is signed in; one more query."""
    return await beside.visit_for(connection).profile()


async def csrf_token(connection: HTTPConnection) -> str:
    """The CSRF token for this browser's forms, as the hidden field `csrf_token`; "" for whoever is not signed in."""
    return await beside.visit_for(connection).csrf_token()
