"""Owns the middleware of a Django project: `request.ostiary`, and the answer to what views refuse.

It runs as coroutine or in a thread, whichever its neighbours make of it.
"""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse

from ostiary.integrations.django.here import Here, here_of
from ostiary.kernel.errors import Refused, Unavailable


class OstiaryMiddleware:
    """Gives every request its `ostiary`, and turns refusals of views into problem documents.

    Args:
        get_response: What runs inside.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Run what is inside."""
        here = Here(request)
        request.ostiary = here  # type: ignore[attr-defined]
        if self._is_async:
            return self._asynchronous(here, request)
        return here.personal(self._get_response(request))

    async def _asynchronous(self, here: Here, request: HttpRequest) -> Any:
        return here.personal(await self._get_response(request))

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer a refusal that a view let pass; everything else stays Django's."""
        here = here_of(request)
        if isinstance(error, Refused | Unavailable) and here.was_asked:
            return here.refused(error)
        return None
