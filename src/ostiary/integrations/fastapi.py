"""Owns the FastAPI face of ostiary.

auth = Ostiary(database="sqlite:///auth.db", dev=True)
app = FastAPI()
auth.install(app)

@app.get("/me")
async def me(user: CurrentUser): return {"hello": user.email}
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Security, params, routing
from fastapi.openapi.models import APIKey, APIKeyIn
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from ostiary.core.access.authority import Standing
from ostiary.core.access.expression import principal, row
from ostiary.core.access.policy import Kind, Policy
from ostiary.core.access.roles import Role
from ostiary.core.accounts.accounts import Account as User
from ostiary.core.accounts.profile import Profile, ProfileField
from ostiary.core.api_keys.keys import ApiKey, ResolvedKey
from ostiary.core.sessions.sessions import Resolved, Session
from ostiary.integrations import beside, demands, host
from ostiary.integrations.guarded import Guarded
from ostiary.integrations.security_headers import SecurityHeaders
from ostiary.kernel.principal import Principal

__all__ = [
    "CsrfToken",
    "CurrentApiKey",
    "CurrentPrincipal",
    "CurrentProfile",
    "CurrentSession",
    "CurrentStanding",
    "CurrentUser",
    "Guarded",
    "Kind",
    "OptionalUser",
    "Ostiary",
    "Policy",
    "Profile",
    "ProfileField",
    "Role",
    "SecurityHeaders",
    "User",
    "principal",
    "rate_limit",
    "requires",
    "requires_fresh",
    "requires_role",
    "row",
    "signed_in",
]


class Ostiary(host.Ostiary):
    """ostiary inside a FastAPI application; see `ostiary.integrations.host.Ostiary` for the arguments."""

    def install(self, app: FastAPI) -> None:
        """Add ostiary's routes beside the application's, support its guards, and share its lifespan.

        Raises:
            Misuse: the application has begun to serve, or ostiary was installed on it before. When it starts: it has
                routes of its own at ostiary's paths.
        """
        beside.install(app, self, _listed)


# FastAPI keeps included routers as they are and lists their routes this way; before it had this, it copied them.
_listed: Final[Callable[[Any], Iterable[Any]]] = getattr(routing, "iter_route_contexts", iter)


class _SessionCookie(SecurityBase):
    """The session cookie as an OpenAPI security scheme; unsafe calls must carry `X-CSRF-Token`, too."""

    def __init__(self) -> None:
        self.model = APIKey(
            **{"in": APIKeyIn.cookie},  # type: ignore[arg-type]  # the field's name is a keyword
            name="__Host-ostiary",
            description="The session cookie. Unsafe methods also need the CSRF cookie's value in `X-CSRF-Token`.",
        )
        self.scheme_name = "ostiary session"

    async def __call__(self, connection: HTTPConnection) -> None:
        """Let the request go on; `_required` judges what it brings."""


class _ApiKeyHeader(SecurityBase):
    """An API key as an OpenAPI security scheme."""

    def __init__(self) -> None:
        self.model = APIKey(
            **{"in": APIKeyIn.header},  # type: ignore[arg-type]  # the field's name is a keyword
            name="X-API-Key",
            description="An API key, here or as Bearer token. It may do what its scopes and its owner may do.",
        )
        self.scheme_name = "ostiary API key"

    async def __call__(self, connection: HTTPConnection) -> None:
        """Let the request go on; `_required` judges what it brings."""


_cookie: Final = _SessionCookie()
_key: Final = _ApiKeyHeader()


async def _required(
    connection: HTTPConnection, _: Annotated[None, Security(_cookie)], __: Annotated[None, Security(_key)]
) -> Resolved | ResolvedKey:
    return await beside.visit_for(connection).proven_caller()


_Caller = Annotated[Resolved | ResolvedKey, Depends(_required)]


async def current_user(connection: HTTPConnection, _: _Caller) -> User:
    """The account of the person who asks, signed in or by an API key; a service's key is refused."""
    return await beside.visit_for(connection).user()


async def optional_user(connection: HTTPConnection) -> User | None:
    """The account of the person who asks, or None."""
    return await beside.visit_for(connection).user_or_nobody()


async def current_session(connection: HTTPConnection, _: Annotated[None, Security(_cookie)]) -> Session:
    """The session; an API key has none, and is refused."""
    return (await beside.visit_for(connection).proven()).session


async def current_principal(caller: _Caller) -> Principal:
    """On whose behalf the request is made, and how sure we are of it."""
    return caller.principal


async def current_api_key(connection: HTTPConnection, _: Annotated[None, Security(_key)]) -> ApiKey:
    """The API key by which the request is made, for routes that are for programs alone."""
    return await beside.visit_for(connection).key()


async def current_standing(connection: HTTPConnection, _: _Caller) -> Standing:
    """What whoever asks may do now; one more query."""
    return await beside.visit_for(connection).standing()


async def current_profile(connection: HTTPConnection, _: _Caller) -> Profile:
    """Name and profile fields of the account that is signed in; one more query."""
    return await beside.visit_for(connection).profile()


async def csrf_token(connection: HTTPConnection) -> str:
    """The CSRF token for this browser's forms, as the hidden field `csrf_token`; "" for whoever is not signed in."""
    return await beside.visit_for(connection).csrf_token()


CurrentUser = Annotated[User, Depends(current_user)]
OptionalUser = Annotated[User | None, Depends(optional_user)]
CurrentProfile = Annotated[Profile, Depends(current_profile)]
CurrentSession = Annotated[Session, Depends(current_session)]
CurrentPrincipal = Annotated[Principal, Depends(current_principal)]
CurrentApiKey = Annotated[ApiKey, Depends(current_api_key)]
CurrentStanding = Annotated[Standing, Depends(current_standing)]
CsrfToken = Annotated[str, Depends(csrf_token)]


@dataclass(frozen=True)
class _Guard(params.Depends):
    """A dependency that tells what it demands, so that `Guarded` takes it, too."""

    demand: demands.Demand = field(kw_only=True)


def _behind_sign_in(demand: demands.Demand) -> Any:
    async def met(connection: HTTPConnection, _: Annotated[Resolved, Depends(_required)]) -> None:
        await demand(beside.visit_for(connection))

    return _Guard(met, demand=demand)


def requires_fresh(minutes: float, acr: demands.Acr = "own") -> Any:
    """A dependency that demands a recent proof, for what must not be done from a computer left unlocked.

    Args:
        minutes: How old the last proof may be.
        acr: What the session must have shown: "own", a second factor if the account has one; "2", a second factor; "1",
            whatever signs in.

    Use it as ``dependencies=[requires_fresh(15)]``. It answers 401 `fresh_authentication_required` (RFC 9470).
    """
    return _behind_sign_in(demands.fresh(minutes, acr))


def requires(*permissions: str) -> Any:
    """A dependency that demands every one of some permissions, for a route, a router or the whole app.

    Args:
        permissions: ``resource:action``, held in general; for one thing ask `CurrentStanding` once you have it.

    Use it as ``dependencies=[requires("notes:read")]``. It answers 403 `permission_denied` and names what is missing.

    Raises:
        Misuse: one of them is no permission.
    """
    return _behind_sign_in(demands.permissions(*permissions))


def requires_role(*roles: str) -> Any:
    """A dependency that demands any one of some roles, or one that inherits it; held everywhere.

    Prefer `requires`: a permission says what is done, a role who did it on the day when this was written.
    """
    return _behind_sign_in(demands.roles(*roles))


def signed_in() -> Any:
    """A dependency that demands a live session or an API key: ``dependencies=[signed_in()]``."""
    return _behind_sign_in(demands.signed_in())


def rate_limit(rate: str, by: demands.By = "network", name: str = "") -> Any:
    """A dependency that answers 429 when a route is called too often, with `RateLimit` and `Retry-After` headers.

    Args:
        rate: ``"5/15m"``, ``"30/h"``: so many in a sliding window, counted in the database for all processes.
        by: `network` (an IPv4 address or an IPv6 /64), `account` (401 for whoever is not signed in),
            `caller` (each API key by itself, and people by account), or a function from the `Request` to text or
            several texts, such as a customer's number.
        name: Guards of one name and rate count together; without one every route function counts alone.

    Raises:
        Misuse: the rate, `by` or the name is none.
    """
    demand = demands.rate_limit(rate, by, name)

    async def counted(connection: HTTPConnection) -> None:
        await demand(beside.visit_for(connection))

    return _behind_sign_in(demand) if by in ("account", "caller") else _Guard(counted, demand=demand)
