"""Owns `request.ostiary`: what ostiary knows about one request to a Django view, found out when first asked for."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control, patch_vary_headers
from starlette.requests import HTTPConnection
from starlette.responses import Response

from ostiary.core.access.authority import Standing
from ostiary.core.accounts.accounts import Account
from ostiary.core.accounts.profile import Profile
from ostiary.core.sessions.sessions import Session
from ostiary.integrations.beside import visit_for
from ostiary.integrations.demands import Fields, HostVisit, refusal
from ostiary.integrations.django.asgi import LOOP
from ostiary.kernel.errors import Misuse, Refused, Unavailable
from ostiary.kernel.principal import Principal

T = TypeVar("T")
Question = Callable[[HostVisit], Awaitable[T]]


class Here:
    """ostiary in one request. Synchronous code uses the functions of `ostiary.integrations.django.current`.

    Every question that accepts a cookie demands CSRF proof of unsafe methods first.

    Args:
        request: Django's.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._visit: HostVisit | None = None

    @property
    def visit(self) -> HostVisit:
        """The visit, made when first asked for.

        Raises:
            Misuse: the request did not come through `asgi(…)`.
        """
        if self._visit is None:
            if not isinstance(self._request, ASGIRequest) or LOOP not in self._request.scope:
                raise Misuse(
                    "the request did not come through ostiary: write `application = asgi(get_asgi_application())` in "
                    "asgi.py"
                )
            visit = visit_for(HTTPConnection(dict(self._request.scope)))
            visit.request = self._request
            visit.read_form = self._fields
            self._visit = visit
        return self._visit

    @property
    def was_asked(self) -> bool:
        """Whether anything depended on who asks."""
        return self._visit is not None

    async def user(self) -> Account:
        """The account of the person who asks, signed in or by an API key.

        Raises:
            Refused: 401, or `csrf_failed`.
        """
        return await self.ask(HostVisit.user)

    async def optional_user(self) -> Account | None:
        """The account of the person who asks, or None.

        Raises:
            Refused: `csrf_failed`.
        """
        return await self.ask(HostVisit.user_or_nobody)

    async def session(self) -> Session:
        """The session; raises as `user`."""
        return (await self.ask(HostVisit.proven)).session

    async def principal(self) -> Principal:
        """On whose behalf the request is made, and how sure we are of it; raises as `user`."""
        return (await self.ask(HostVisit.proven_caller)).principal

    async def standing(self) -> Standing:
        """What whoever is signed in may do now; one more query. Raises as `user`."""
        return await self.ask(HostVisit.standing)

    async def profile(self) -> Profile:
        """Name and profile fields of the account that is signed in; one more query. Raises as `user`."""
        return await self.ask(HostVisit.profile)

    async def csrf_token(self) -> str:
        """The CSRF token for this browser's forms, as the field `csrf_token`; "" for whoever is not signed in."""
        return await self.ask(HostVisit.csrf_token)

    async def ask(self, question: Question[T]) -> T:
        """Answer a question in the event loop that the engine belongs to."""
        visit, loop = self.visit, self._loop
        if asyncio.get_running_loop() is loop:
            return await question(visit)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_answer(question, visit), loop))

    def blocking(self, question: Question[T]) -> T:
        """Answer a question for code that runs in a thread.

        Raises:
            Misuse: an event loop runs in this thread, which would stand still.
        """
        if in_event_loop():
            raise Misuse("in asynchronous code write `await request.ostiary.user()` and its like")
        return asyncio.run_coroutine_threadsafe(_answer(question, self.visit), self._loop).result()

    def refused(self, error: Refused | Unavailable) -> HttpResponse:
        """The answer to a refusal: the same problem document as everywhere."""
        return _as_django(refusal(error, self.visit))

    def personal(self, response: T) -> T:
        """Keep caches from giving to others, or to a session that has ended, what depended on who asked."""
        if self.was_asked and isinstance(response, HttpResponseBase):
            patch_vary_headers(response, ("Cookie", "Authorization"))
            if not response.has_header("Cache-Control"):
                patch_cache_control(response, private=True)
        return response

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        loop: asyncio.AbstractEventLoop = self.visit.scope[LOOP]
        return loop

    async def _fields(self) -> Fields:
        # Django has the whole body; taking it apart may still take a while.
        return await asyncio.to_thread(_posted, self._request)


def here_of(request: Any) -> Here:
    """The `request.ostiary` of a request, be it Django's own or one that wraps it.

    Raises:
        Misuse: the middleware is missing.
    """
    found = getattr(request, "ostiary", None)
    if not isinstance(found, Here):
        raise Misuse(
            'a guard was asked, but "ostiary.integrations.django.OstiaryMiddleware" is not in MIDDLEWARE'
        )
    return found


def in_event_loop() -> bool:
    """Whether an event loop runs in this very thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _answer(question: Question[T], visit: HostVisit) -> Coroutine[Any, Any, T]:
    async def answer() -> T:
        return await question(visit)

    return answer()


def _posted(request: HttpRequest) -> Fields:
    return tuple((name, str(value)) for name, values in request.POST.lists() for value in values)


def _as_django(answer: Response) -> HttpResponse:
    made = HttpResponse(bytes(answer.body), status=answer.status_code)
    del made.headers["Content-Type"]
    for name, value in answer.raw_headers:
        if name != b"content-length":  # a middleware of the host may compress it
            made.headers[name.decode("latin-1")] = value.decode("latin-1")
    return made
