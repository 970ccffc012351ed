"""Owns the decorators that stand before Django views, synchronous or asynchronous, functions or methods.

A guard answers a refusal itself, so what is inside it does not run. On a class write
``@method_decorator(requires("notes:read"), name="dispatch")``.
"""

from collections.abc import Callable
from functools import wraps
from inspect import isawaitable
from typing import Any, TypeVar

from asgiref.sync import iscoroutinefunction, markcoroutinefunction

from ostiary.integrations import demands
from ostiary.integrations.demands import Demand, HostVisit, name_of
from ostiary.integrations.django.here import Here, here_of, in_event_loop
from ostiary.kernel.errors import Refused, Unavailable

View = TypeVar("View", bound=Callable[..., Any])


def _guard(demand: Demand) -> Callable[[View], View]:
    def around(view: View) -> View:
        def judging(request: Any) -> Callable[[HostVisit], Any]:
            endpoint = _endpoint(request, view)

            async def judge(visit: HostVisit) -> None:
                visit.endpoint = endpoint
                await demand(visit)

            return judge

        async def asynchronous(here: Here, request: Any, args: Any, kwargs: Any) -> Any:
            try:
                await here.ask(judging(request))
            except (Refused, Unavailable) as error:
                return here.refused(error)
            response = view(request, *args, **kwargs)
            return here.personal(await response if isawaitable(response) else response)

        @wraps(view)
        def guarded(request: Any, *args: Any, **kwargs: Any) -> Any:
            here = here_of(request)
            if (
                in_event_loop()
            ):  # `dispatch` of an asynchronous class is no coroutine function, but returns a coroutine
                return asynchronous(here, request, args, kwargs)
            try:
                here.blocking(judging(request))
            except (Refused, Unavailable) as error:
                return here.refused(error)
            return here.personal(view(request, *args, **kwargs))

        if iscoroutinefunction(view):
            markcoroutinefunction(guarded)
        return guarded  # type: ignore[return-value]  # it has the view's own signature

    return around


def _endpoint(request: Any, view: Any) -> str:
    """What runs behind a guard, by name; every class inherits the same `dispatch`."""
    match = request.resolver_match
    owner = getattr(match.func, "view_class", None) or getattr(match.func, "cls", None) if match else None
    return name_of(view) if owner is None else f"{name_of(owner)}.{view.__name__}"


def signed_in() -> Callable[[View], View]:
    """Demands a live session: 401 `not_authenticated`, or `session_ended`."""
    return _guard(demands.signed_in())


def requires(*permissions: str) -> Callable[[View], View]:
    """Demands every one of some permissions: 403 `permission_denied` names what is missing.

    Args:
        permissions: ``resource:action``, held in general; for one thing ask `current_standing` once you have it.

    Raises:
        Misuse: one of them is no permission.
    """
    return _guard(demands.permissions(*permissions))


def requires_role(*roles: str) -> Callable[[View], View]:
    """Demands any one of some roles, or one that inherits it; held everywhere. Prefer `requires`."""
    return _guard(demands.roles(*roles))


def requires_fresh(minutes: float) -> Callable[[View], View]:
    """Demands a recent proof: 401 `fresh_authentication_required` (RFC 9470).

    Args:
        minutes: How old the last proof may be.
    """
    return _guard(demands.fresh(minutes))


def rate_limit(rate: str, by: demands.By = "network", name: str = "") -> Callable[[View], View]:
    """Answers 429 when a view is called too often, with `RateLimit` and `Retry-After` headers.

    Args:
        rate: ``"5/15m"``, ``"30/h"``: so many in a sliding window, counted in the database for all processes.
        by: `network`, `account` (401 for whoever is not signed in), or a function from Django's request to text.
        name: Guards of one name and rate count together; without one every view counts alone.

    Raises:
        Misuse: the rate, `by` or the name is none.
    """
    return _guard(demands.rate_limit(rate, by, name))
