"""Owns the middleware of a Django project: `request.ostiary`, a guard of the whole site, and security headers.

All run as coroutines or in threads, whichever their neighbours make of them.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Final

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve

from ostiary.integrations.demands import HostVisit
from ostiary.integrations.django.configured import configured
from ostiary.integrations.django.guards import PUBLIC, Guard, signed_in
from ostiary.integrations.django.here import Here, here_of
from ostiary.integrations.paths import Prefixes
from ostiary.integrations.security_headers import Hardening
from ostiary.kernel.errors import Refused, Unavailable

PUBLIC_PATHS: Final = "OSTIARY_PUBLIC_PATHS"
SECURITY_HEADERS: Final = "OSTIARY_SECURITY_HEADERS"


class _Middleware:
    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            marked: Any = self
            markcoroutinefunction(marked)


class OstiaryMiddleware(_Middleware):
    """Gives every request its `ostiary`, and turns refusals of views into problem documents.

    Args:
        get_response: What runs inside.
    """

    def __call__(self, request: HttpRequest) -> Any:
        """Run what is inside."""
        here = Here(request)
        request.ostiary = here  # type: ignore[attr-defined]  # what middleware adds, Django does not declare
        if self._is_async:
            return self._asynchronous(here, request)
        return here.finished(self._get_response(request))

    async def _asynchronous(self, here: Here, request: HttpRequest) -> Any:
        return here.finished(await self._get_response(request))

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer a refusal that a view let pass; everything else stays Django's."""
        here = here_of(request)
        if isinstance(error, Refused | Unavailable) and here.was_asked:
            return here.refused(error)
        return None


class RequireSignIn(_Middleware):
    """Guards everything inside it, but for `OSTIARY_PUBLIC_PATHS` and views that `sign_in_not_required` leaves open.

    Paths that lead nowhere are refused, too, so nobody learns which do. A subclass may demand more.

    Args:
        get_response: What runs inside.

    Attributes:
        guards: What is demanded of every request.

    Raises:
        Misuse: a public path is none.
    """

    guards: ClassVar[tuple[Guard, ...]] = (signed_in(),)

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        self._public = Prefixes(getattr(settings, PUBLIC_PATHS, ()))
        self.process_view: Any = self._judge_open_async if self._is_async else self._judge_open

    def __call__(self, request: HttpRequest) -> Any:
        """Judge, then run what is inside."""
        here = here_of(request)
        if self._public.hold(request.path_info, here.visit.scope.get("raw_path")):
            return self._get_response(request)
        # Which view will run is certain only when it does: a middleware inside may choose other URLs.
        here.awaits_view = _is_public(_view_of(request))
        if self._is_async:
            return self._asynchronous(here, request)
        refused = None if here.awaits_view else self._judged(here)
        return self._get_response(request) if refused is None else refused

    async def _asynchronous(self, here: Here, request: HttpRequest) -> Any:
        refused = None if here.awaits_view else await self._judged_async(here)
        return await self._get_response(request) if refused is None else refused

    def _judge_open(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        here = here_of(request)
        return self._judged(here) if here.awaits_view and not _is_public(view) else None

    async def _judge_open_async(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        here = here_of(request)
        return await self._judged_async(here) if here.awaits_view and not _is_public(view) else None

    def _judged(self, here: Here) -> HttpResponse | None:
        try:
            here.blocking(self._all)
        except (Refused, Unavailable) as error:
            return here.refused(error)
        return None

    async def _judged_async(self, here: Here) -> HttpResponse | None:
        try:
            await here.ask(self._all)
        except (Refused, Unavailable) as error:
            return here.refused(error)
        return None

    async def _all(self, visit: HostVisit) -> None:
        visit.endpoint = f"{type(self).__module__}.{type(self).__qualname__}"
        for guard in self.guards:
            await guard.demand(visit)


class SecurityHeaders(_Middleware):
    """Adds the security headers that a response lacks; what the project or Django has set is never changed.

    `OSTIARY_SECURITY_HEADERS` may hold ``csp``, ``hsts`` and ``headers``, see `Hardening`. With ``{nonce}`` in the
    policy, `request.csp_nonce` is what this response's scripts and styles carry.

    Args:
        get_response: What runs inside.

    Raises:
        Misuse: a header's name or value is none.
    """

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        self._hardening = Hardening(**getattr(settings, SECURITY_HEADERS, {}))

    def __call__(self, request: HttpRequest) -> Any:
        """Run what is inside, and add what is missing."""
        request.csp_nonce = self._hardening.new_nonce() if self._hardening.has_nonce else ""  # type: ignore[attr-defined]  # the same
        if self._is_async:
            return self._asynchronous(request)
        return self._hardened(request, self._get_response(request))

    async def _asynchronous(self, request: HttpRequest) -> Any:
        return self._hardened(request, await self._get_response(request))

    def _hardened(self, request: Any, response: HttpResponse) -> HttpResponse:
        is_https = request.is_secure() or configured().engine.app.edge.base.is_https
        given = [(name.lower().encode(), b"") for name in response.headers]
        for name, value in self._hardening.missing(given, is_https=is_https, nonce=request.csp_nonce):
            response.headers[name.decode()] = value.decode()
        return response


def _is_public(view: Any) -> bool:
    return getattr(view, PUBLIC, False) is True


def _view_of(request: HttpRequest) -> Any:
    try:
        return resolve(request.path_info, getattr(request, "urlconf", None)).func
    except Resolver404:
        return None
