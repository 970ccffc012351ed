"""Owns what Django REST framework asks ostiary: who a request comes from, what it may do, how often.

Needs `djangorestframework`, which nothing else of ostiary loads.

class Notes(APIView):
    authentication_classes = [OstiaryAuthentication]
    permission_classes = [Requires("notes:read")]
    throttle_classes = [RateLimit("100/m")]
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    NotAuthenticated,
    PermissionDenied,
    Throttled,
)
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from ostiary.core.accounts.accounts import Account
from ostiary.core.sessions.sessions import NOT_AUTHENTICATED
from ostiary.http.problems import challenge
from ostiary.integrations import demands
from ostiary.integrations.demands import Demand, HostVisit
from ostiary.integrations.django.guards import (
    Guard,
    endpoint_of,
    rate_limit,
    requires,
    requires_fresh,
    requires_role,
    signed_in,
)
from ostiary.integrations.django.here import Here, here_of
from ostiary.kernel.errors import Code, Refused, Unavailable
from ostiary.kernel.principal import Principal

if TYPE_CHECKING:
    from rest_framework.throttling import BaseThrottle
else:
    BaseThrottle = (
        object  # its module asks Django's settings when it is loaded, and it has nothing to inherit
    )


@dataclass(frozen=True, slots=True)
class Caller:
    """`request.user` of REST framework: the account, with what the framework asks of users.

    Attributes:
        account: The account; `is_service` on it tells programs from people.
    """

    account: Account
    is_authenticated: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False
    is_active: ClassVar[bool] = True
    # Django's own permissions belong to Django's own users: nobody has any here. Ask `Requires` and its like.
    is_staff: ClassVar[bool] = False
    is_superuser: ClassVar[bool] = False

    @property
    def id(self) -> str:
        """The account's id."""
        return self.account.id

    @property
    def pk(self) -> str:
        """The same; REST framework's own throttles count by it."""
        return self.account.id

    @property
    def email(self) -> str | None:
        """The account's address."""
        return self.account.email

    def has_perm(self, permission: str, thing: object = None) -> bool:
        """None of Django's permissions."""
        return False

    def has_perms(self, permissions: Iterable[str], thing: object = None) -> bool:
        """None of Django's permissions."""
        return False

    def get_username(self) -> str:
        """A name for logs: the account's id."""
        return self.account.id

    def __str__(self) -> str:
        return self.account.email or self.account.id


class OstiaryAuthentication(BaseAuthentication):
    """Knows whoever asks by the session cookie (with CSRF proof), an access token, or an API key.

    `request.user` becomes a `Caller`, `request.auth` the `Principal`. A credential that is no good any more is nobody,
    and the `WWW-Authenticate` header of the 401 that a permission class then gives tells why.
    """

    def authenticate(self, request: Request) -> tuple[Caller, Principal] | None:
        """Who asks; None for nobody.

        Raises:
            PermissionDenied: `csrf_failed`.
        """
        here = here_of(request)
        try:
            caller = here.blocking(HostVisit.proven_caller)
        except Refused as refused:
            here.refusal = refused
            if refused.code.status == 401:
                return None
            raise _raised(refused) from refused
        return Caller(caller.account), caller.principal

    def authenticate_header(self, request: Request) -> str:
        """The `WWW-Authenticate` value."""
        refusal = here_of(request).refusal
        code: Code = refusal.code if refusal and refusal.code.status == 401 else NOT_AUTHENTICATED
        details = refusal.details if refusal else {}
        return challenge(code, details.get("max_age"), details.get("acr_values")).decode()


class Demanded(BasePermission):
    """A permission class made of a demand; its refusals have our codes. See `Requires` and its like."""

    guard: ClassVar[Guard]
    message: str | None = None
    code: str | None = None

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether the demand is met."""
        here = here_of(request)
        try:
            _ask(here, self.guard.demand, request, view)
        except Refused as refused:
            here.refusal = refused
            if refused.code.status != 403 and request.successful_authenticator is not None:
                raise _raised(refused) from refused  # REST framework would make a 403 of it
            self.message, self.code = refused.code.title, refused.code.name
            return False
        return True


class SignedIn(Demanded):
    """Demands that somebody asks, by a session, a token or a key."""

    guard = signed_in()


def Requires(*permissions: str) -> type[Demanded]:  # noqa: N802 - stands where classes stand
    """A permission class that demands every one of some permissions, held in general.

    Args:
        permissions: ``resource:action``.

    Raises:
        Misuse: one of them is no permission.
    """
    return type("Requires", (Demanded,), {"guard": requires(*permissions)})


def RequiresRole(*roles: str) -> type[Demanded]:  # noqa: N802 - the same
    """A permission class that demands any one of some roles; prefer `Requires`."""
    return type("RequiresRole", (Demanded,), {"guard": requires_role(*roles)})


def RequiresFresh(minutes: float, acr: demands.Acr = "own") -> type[Demanded]:  # noqa: N802 - the same
    """A permission class that demands a recent proof (RFC 9470); 401 otherwise.

    Args:
        minutes: How old the last proof may be.
        acr: What the session must have shown, as `requires_fresh`.
    """
    return type("RequiresFresh", (Demanded,), {"guard": requires_fresh(minutes, acr)})


def RequiresOn(permission: str) -> type[Demanded]:  # noqa: N802 - the same
    """A permission class that demands a permission on the very object, by roles and policies.

    It looks when the view calls `check_object_permissions`, as `get_object` of generic views does.

    Args:
        permission: ``resource:action``.
    """

    class On(SignedIn):
        def has_object_permission(self, request: Request, view: Any, obj: Any) -> bool:
            here = here_of(request)
            try:
                here.blocking(HostVisit.standing).require(permission, obj)
            except Refused as refused:
                here.refusal = refused
                self.message, self.code = refused.code.title, refused.code.name
                return False
            return True

    return On


class Limited(BaseThrottle):
    """A throttle class made of a rate limit. See `RateLimit`."""

    guard: ClassVar[Guard]

    def __init__(self) -> None:
        self._wait: timedelta | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the request; whether it is still within the limit."""
        here = here_of(request)
        try:
            _ask(here, self.guard.demand, request, view)
        except Refused as refused:
            here.refusal = refused
            if refused.code.status != 429:
                raise _raised(refused) from refused
            self._wait = refused.retry_after
            return False
        return True

    def wait(self) -> float | None:
        """Seconds until trying again makes sense."""
        return None if self._wait is None else self._wait.total_seconds()


def RateLimit(rate: str, by: demands.By = "network", name: str = "") -> type[Limited]:  # noqa: N802 - the same
    """A throttle class; the database counts, for all processes.

    Args:
        rate: ``"5/15m"``, ``"30/h"``.
        by: `network`, `account`, `caller` (each API key by itself), or a function from Django's request to text.
        name: Limits of one name and rate count together; without one every view counts alone.
    """
    return type("RateLimit", (Limited,), {"guard": rate_limit(rate, by, name)})


def exception_handler(error: Exception, context: dict[str, Any]) -> Any:
    """Answers refusals with the same problem documents as everywhere: ``REST_FRAMEWORK["EXCEPTION_HANDLER"]``.

    Everything else is REST framework's own.
    """
    from rest_framework import views  # asks Django's settings when it is loaded

    here = getattr(context.get("request"), "ostiary", None)
    refusal = _behind(error, here) if isinstance(here, Here) else None
    if refusal is None or not isinstance(here, Here):
        return views.exception_handler(error, context)
    views.set_rollback()
    return here.refused(refusal)


def _behind(error: Exception, here: Here) -> Refused | Unavailable | None:
    if isinstance(error, Refused | Unavailable):
        return error
    known = here.refusal
    if isinstance(error, NotAuthenticated):
        return known if known and known.code.status == 401 else Refused(NOT_AUTHENTICATED, counted=False)
    if known is None or not isinstance(error, APIException) or error.status_code != known.code.status:
        return None
    # What others refuse in the same view is theirs, and keeps its own words.
    return known if isinstance(error, Throttled) or error.get_codes() == known.code.name else None


class _Other(APIException):
    """A refusal that REST framework has no exception for."""


def _raised(refused: Refused) -> APIException:
    """REST framework's own exception with our code."""
    kinds = {401: AuthenticationFailed, 403: PermissionDenied}
    made = kinds.get(refused.code.status, _Other)(refused.code.title, refused.code.name)
    made.status_code = refused.code.status
    if refused.retry_after is not None:
        made.wait = refused.retry_after.total_seconds()  # type: ignore[attr-defined]  # becomes Retry-After
    return made


def _ask(here: Here, demand: Demand, request: Request, view: Any) -> None:
    endpoint = endpoint_of(request, view.dispatch)

    async def judge(visit: HostVisit) -> None:
        visit.endpoint = endpoint
        await demand(visit)

    here.blocking(judge)
