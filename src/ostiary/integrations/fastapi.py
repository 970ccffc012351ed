"""Owns the FastAPI face of ostiary.

auth = Ostiary(database="sqlite:///auth.db", dev=True)
app = FastAPI()
auth.install(app)

@app.get("/me")
async def me(user: CurrentUser): return {"hello": user.email}
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Security, routing
from fastapi.openapi.models import APIKey, APIKeyIn
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection
from starlette.routing import Mount, WebSocketRoute

from ostiary.core.access.authority import Standing
from ostiary.core.access.expression import principal, row
from ostiary.core.access.permission import permission
from ostiary.core.access.policy import Kind, Policy
from ostiary.core.access.roles import Role
from ostiary.core.accounts import profile
from ostiary.core.accounts.accounts import Account as User
from ostiary.core.accounts.profile import Profile, ProfileField
from ostiary.core.accounts.settings import AccountSettings
from ostiary.core.sessions.sessions import NOT_AUTHENTICATED, Resolved, Session, refuse_unless_fresh
from ostiary.integrations import beside, host
from ostiary.kernel.errors import Refused
from ostiary.kernel.principal import Principal

__all__ = [
    "CsrfToken",
    "CurrentPrincipal",
    "CurrentProfile",
    "CurrentSession",
    "CurrentStanding",
    "CurrentUser",
    "Kind",
    "OptionalUser",
    "Ostiary",
    "Policy",
    "Profile",
    "ProfileField",
    "Role",
    "User",
    "principal",
    "requires",
    "requires_fresh",
    "requires_role",
    "row",
]


class Ostiary(host.Ostiary):
    """ostiary inside a FastAPI application; see `ostiary.integrations.host.Ostiary` for the arguments."""

    def install(self, app: FastAPI) -> None:
        """Add ostiary's routes beside the application's, support its guards, and share its lifespan.

        Raises:
            Misuse: the application has begun to serve, or ostiary was installed on it before. When it starts: it has
                routes of its own at ostiary's paths.
        """
        beside.install(app, self, lambda: _paths(app.routes))


# FastAPI keeps included routers as they are and lists their routes this way; before it had this, it copied them.
_listed: Final[Callable[[Any], Iterable[Any]]] = getattr(routing, "iter_route_contexts", iter)


def _paths(routes: Any, prefix: str = "") -> Iterator[str]:
    for route in _listed(routes):
        original = getattr(route, "original_route", route)
        path = getattr(route, "path", None)
        if path is None or isinstance(original, WebSocketRoute):
            continue
        yield prefix + path
        if isinstance(original, Mount):
            yield f"{prefix}{path}/{{any}}"
            yield from _paths(original.routes, prefix + path)


class _SessionCookie(SecurityBase):
    """The session cookie as an OpenAPI security scheme; unsafe calls must carry `X-CSRF-Token`, too."""

    def __init__(self) -> None:
        self.model = APIKey(
            **{"in": APIKeyIn.cookie},  # type: ignore[arg-type]  # the field's name is a keyword
            name="__Host-ostiary",
            description="The session cookie. Unsafe methods also need the CSRF cookie's value in `X-CSRF-Token`.",
        )
        self.scheme_name = "ostiary session"

    async def __call__(self, connection: HTTPConnection) -> Resolved | None:
        """The live session, or None without a cookie or an access token.

        Raises:
            Refused: the cookie is dead, or the call lacks its CSRF proof.
        """
        visit = await beside.guarded(connection)
        return await visit.session() if visit.has_credential else None


_cookie: Final = _SessionCookie()


async def _required(
    connection: HTTPConnection, resolved: Annotated[Resolved | None, Security(_cookie)]
) -> Resolved:
    return resolved or await beside.visit_for(connection).session()


async def _optional(connection: HTTPConnection) -> Resolved | None:
    try:
        return await _cookie(connection)
    except Refused as refused:
        if refused.code.status == 401:
            return None  # a dead cookie is nobody; the response clears it
        raise


async def current_user(resolved: Annotated[Resolved, Depends(_required)]) -> User:
    """The account that is signed in."""
    return resolved.account


async def optional_user(resolved: Annotated[Resolved | None, Depends(_optional)]) -> User | None:
    """The account that is signed in, or None."""
    return resolved.account if resolved else None


async def current_session(resolved: Annotated[Resolved, Depends(_required)]) -> Session:
    """The session."""
    return resolved.session


async def current_principal(resolved: Annotated[Resolved, Depends(_required)]) -> Principal:
    """On whose behalf the request is made, and how sure we are of it."""
    return resolved.principal


async def current_standing(
    connection: HTTPConnection, resolved: Annotated[Resolved, Depends(_required)]
) -> Standing:
    """What whoever is signed in may do now; one more query."""
    core = beside.visit_for(connection).edge.core
    return await core.authority.standing(core.database, resolved.principal)


async def current_profile(
    connection: HTTPConnection, resolved: Annotated[Resolved, Depends(_required)]
) -> Profile:
    """Name and profile fields of the account that is signed in; one more query."""
    core = beside.visit_for(connection).edge.core
    fields = core.settings.of(AccountSettings).profile_fields
    found = await profile.find(core.database, fields, resolved.account.id)
    if found is None:
        raise Refused(NOT_AUTHENTICATED, "the account was deleted meanwhile")
    return found


async def csrf_token(
    connection: HTTPConnection, resolved: Annotated[Resolved | None, Depends(_optional)]
) -> str:
    """The CSRF token for this browser's forms, as the hidden field `csrf_token`; "" for whoever is not signed in."""
    return (beside.visit_for(connection).cookies.csrf or "") if resolved else ""


CurrentUser = Annotated[User, Depends(current_user)]
OptionalUser = Annotated[User | None, Depends(optional_user)]
CurrentProfile = Annotated[Profile, Depends(current_profile)]
CurrentSession = Annotated[Session, Depends(current_session)]
CurrentPrincipal = Annotated[Principal, Depends(current_principal)]
CurrentStanding = Annotated[Standing, Depends(current_standing)]
CsrfToken = Annotated[str, Depends(csrf_token)]


def requires_fresh(minutes: float) -> Any:
    """A dependency that demands a recent proof, for what must not be done from a computer left unlocked.

    Args:
        minutes: How old the last proof may be.

    Use it as ``dependencies=[requires_fresh(15)]``. It answers 401 `fresh_authentication_required` (RFC 9470).
    """
    limit = timedelta(minutes=minutes)

    async def fresh(connection: HTTPConnection, principal: CurrentPrincipal) -> None:
        refuse_unless_fresh(principal, limit, beside.visit_for(connection).edge.core.world.now())

    check: Callable[..., Awaitable[None]] = fresh
    return Depends(check)


def requires(*permissions: str) -> Any:
    """A dependency that demands every one of some permissions, for a route, a router or the whole app.

    Args:
        permissions: ``resource:action``, held in general; for one thing ask `CurrentStanding` once you have it.

    Use it as ``dependencies=[requires("notes:read")]``. It answers 403 `permission_denied` and names what is missing.

    Raises:
        Misuse: one of them is no permission.
    """
    asked = tuple(permission(words) for words in permissions)

    async def allowed(standing: CurrentStanding) -> None:
        for words in asked:
            standing.require(words)

    return Depends(allowed)


def requires_role(*roles: str) -> Any:
    """A dependency that demands any one of some roles, or one that inherits it; held everywhere.

    Prefer `requires`: a permission says what is done, a role who did it on the day when this was written.
    """

    async def allowed(standing: CurrentStanding) -> None:
        standing.require_role(*roles)

    return Depends(allowed)
