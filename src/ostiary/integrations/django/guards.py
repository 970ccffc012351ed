"""Owns the decorators that stand before Django views, synchronous or asynchronous, functions or methods.

A guard answers a refusal itself, so what is inside it does not run. On a class write
``@method_decorator(requires("notes:read"), name="dispatch")``.
"""

from collections.abc import Callable
from functools import partial, wraps
from inspect import isawaitable
from typing import Any, Final, TypeVar

from asgiref.sync import iscoroutinefunction, markcoroutinefunction

from ostiary.integrations import demands
from ostiary.integrations.demands import Demand, HostVisit, name_of
from ostiary.integrations.django.here import Here, Question, here_of
from ostiary.kernel.errors import Refused, Unavailable

PUBLIC: Final = "ostiary_public"
View = TypeVar("View", bound=Callable[..., Any])


class Guard:
    """A decorator that lets a view run only if a demand is met.

    Args:
        demand: What it demands.
    """

    def __init__(self, demand: Demand) -> None:
        self.demand = demand

    def __call__(self, view: View) -> View:
        """The same view behind the guard; it stays synchronous or asynchronous."""

        async def asynchronous(here: Here, request: Any, args: Any, kwargs: Any) -> Any:
            try:
                await here.ask(self._question(request, view))
            except (Refused, Unavailable) as error:
                return here.refused(error)
            response = view(request, *args, **kwargs)
            return here.personal(await response if isawaitable(response) else response)

        @wraps(view)
        def guarded(request: Any, *args: Any, **kwargs: Any) -> Any:
            here = here_of(request)
            if is_async:
                return asynchronous(here, request, args, kwargs)
            try:
                here.blocking(self._question(request, view))
            except (Refused, Unavailable) as error:
                return here.refused(error)
            return here.personal(view(request, *args, **kwargs))

        is_async = _is_asynchronous(view)
        if is_async:
            markcoroutinefunction(guarded)
        return guarded  # type: ignore[return-value]  # it has the view's own signature

    def _question(self, request: Any, view: Any) -> Question[None]:
        endpoint = endpoint_of(request, view)

        async def judge(visit: HostVisit) -> None:
            visit.endpoint = endpoint
            await self.demand(visit)

        return judge


def _is_asynchronous(view: Any) -> bool:
    """Whether a view returns a coroutine; `dispatch` of an asynchronous class does, and is no coroutine function."""
    bound = view.func if isinstance(view, partial) else view  # what `method_decorator` makes of a method
    return (
        iscoroutinefunction(view) or getattr(getattr(bound, "__self__", None), "view_is_async", False) is True
    )


def endpoint_of(request: Any, view: Any) -> str:
    """What runs behind a guard, by name; every class inherits the same `dispatch`."""
    match = request.resolver_match
    owner = getattr(match.func, "view_class", None) or getattr(match.func, "cls", None) if match else None
    return name_of(view) if owner is None else f"{name_of(owner)}.{view.__name__}"


def signed_in() -> Guard:
    """Demands a live session or an API key: 401 `not_authenticated`, `session_ended` or `api_key_invalid`."""
    return Guard(demands.signed_in())


def requires(*permissions: str) -> Guard:
    """Demands every one of some permissions: 403 `permission_denied` names what is missing.

    Args:
        permissions: ``resource:action``, held in general; for one thing ask `current_standing` once you have it.

    Raises:
        Misuse: one of them is no permission.
    """
    return Guard(demands.permissions(*permissions))


def requires_role(*roles: str) -> Guard:
    """Demands any one of some roles, or one that inherits it; held everywhere. Prefer `requires`."""
    return Guard(demands.roles(*roles))


def requires_fresh(minutes: float, acr: demands.Acr = "own") -> Guard:
    """Demands a recent proof: 401 `fresh_authentication_required` (RFC 9470).

    Args:
        minutes: How old the last proof may be.
        acr: What the session must have shown: "own", a second factor if the account has one; "2", a second factor; "1",
            whatever signs in.
    """
    return Guard(demands.fresh(minutes, acr))


def rate_limit(rate: str, by: demands.By = "network", name: str = "") -> Guard:
    """Answers 429 when a view is called too often, with `RateLimit` and `Retry-After` headers.

    Args:
        rate: ``"5/15m"``, ``"30/h"``: so many in a sliding window, counted in the database for all processes.
        by: `network`, `account` (401 for whoever is not signed in), `caller` (each API key by itself, and people by
            account), or a function from Django's request to text.
        name: Guards of one name and rate count together; without one every view counts alone.

    Raises:
        Misuse: the rate, `by` or the name is none.
    """
    return Guard(demands.rate_limit(rate, by, name))


def sign_in_not_required(view: View) -> View:
    """Leaves a view open to everybody although `RequireSignIn` guards the site; its own guards still hold."""
    setattr(view, PUBLIC, True)
    return view
