"""Owns `request.ostiary`: what ostiary knows about one request to a Django view, found out when first asked for."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from functools import cached_property, partial
from http.cookies import SimpleCookie
from typing import Any, TypeVar

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control, patch_vary_headers
from starlette.requests import HTTPConnection

from ostiary.core.access.authority import Standing
from ostiary.core.accounts.accounts import Account
from ostiary.core.accounts.profile import Profile
from ostiary.core.api_keys.keys import ApiKey
from ostiary.core.sessions.sessions import Resolved, Session
from ostiary.http.csrf import SAFE_METHODS
from ostiary.http.problems import Headers
from ostiary.http.table import path_in
from ostiary.integrations.beside import visit_for
from ostiary.integrations.demands import Fields, HostVisit, refusal, reply_headers
from ostiary.integrations.django.asgi import LOOP
from ostiary.integrations.django.configured import configured, in_event_loop, portal_of
from ostiary.integrations.django.wsgi import PORTAL
from ostiary.integrations.portal import Portal
from ostiary.integrations.wsgi import scope_of
from ostiary.kernel.errors import Misuse, Refused, Unavailable
from ostiary.kernel.principal import Principal

T = TypeVar("T")
Question = Callable[[HostVisit], Awaitable[T]]


class Here:
    """ostiary in one request. Synchronous code uses the functions of `ostiary.integrations.django.current`.

    Every question that accepts a cookie demands CSRF proof of unsafe methods first.

    Args:
        request: Django's.

    Attributes:
        was_asked: Whether anything depended on who asks.
        refusal: What REST framework was told last.
        awaits_view: For `RequireSignIn`: whether the view that will run must be one that is open to everybody.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._has_form = False
        self.was_asked = False
        self.refusal: Refused | None = None
        self.awaits_view = False

    @property
    def visit(self) -> HostVisit:
        """The visit, made when first asked for.

        Raises:
            Misuse: the request came by ASGI, but not through `asgi(…)`.
        """
        visit = self._visit
        visit.scope["method"] = self._request.method  # the project may have made another one of it since
        return visit

    @cached_property
    def _visit(self) -> HostVisit:
        request = self._request
        if isinstance(request, WSGIRequest):
            scope = scope_of(request.environ)
            visit = self._portal.auth.visit(scope, path_in(scope))
        elif isinstance(request, ASGIRequest) and LOOP in request.scope:
            visit = visit_for(HTTPConnection(dict(request.scope)))
            visit.read_form = self._fields
        else:
            raise Misuse(
                "the request did not come through ostiary: in asgi.py write "
                "`application = asgi(get_asgi_application())`"
            )
        visit.request = request
        return visit

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

    async def api_key(self) -> ApiKey:
        """The API key by which the request is made, for views that are for programs alone."""
        return await self.ask(HostVisit.key)

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
        self.was_asked = True
        if self._loop is asyncio.get_running_loop():
            return await question(self.visit)
        if self._may_need_form and await asyncio.wrap_future(self._begin(HostVisit.wants_form)):
            self.visit.form = _posted(self._request)
        return await asyncio.wrap_future(self._begin(question))

    def blocking(self, question: Question[T]) -> T:
        """Answer a question for code that runs in a thread.

        Raises:
            Misuse: an event loop runs in this thread, which would stand still.
        """
        self.was_asked = True
        if in_event_loop():
            raise Misuse("in asynchronous code write `await request.ostiary.user()` and its like")
        # A form that comes slowly holds the request's own thread, and not the loop that serves all.
        if self._may_need_form and self._wait(HostVisit.wants_form):
            self.visit.form = _posted(self._request)
        return self._wait(question)

    @property
    def known(self) -> Resolved | None:
        """Whoever asks, if that was found out already."""
        return self.visit.known

    @property
    def is_nobody(self) -> bool:
        """Whether nothing came along that could say who asks."""
        self.was_asked = True
        return not self.visit.has_credential

    def refused(self, error: Refused | Unavailable) -> HttpResponse:
        """The answer to a refusal: the same problem document as everywhere, or the sign-in page."""
        answer = refusal(error, self.visit)
        made = HttpResponse(bytes(answer.body), status=answer.status_code)
        del made.headers["Content-Type"]
        _add(made, answer.raw_headers)
        return made

    def personal(self, response: T) -> T:
        """Keep caches from giving to others, or to a session that has ended, what depended on who asked."""
        if self.was_asked and isinstance(response, HttpResponseBase):
            patch_vary_headers(response, ("Cookie", "Authorization", "X-API-Key"))
            if not response.has_header("Cache-Control"):
                patch_cache_control(response, private=True)
        return response

    def finished(self, response: T) -> T:
        """What leaves: a dead cookie is cleared, and rate limits are told. Under ASGI `Beside` does that."""
        self.personal(response)
        if (
            self.was_asked
            and isinstance(self._request, WSGIRequest)
            and isinstance(response, HttpResponseBase)
        ):
            _add(response, reply_headers(self.visit, _given(response)))
        return response

    # ── the way to the engine ──

    @property
    def _loop(self) -> asyncio.AbstractEventLoop | None:
        """The server's event loop; None under WSGI."""
        return self.visit.scope.get(LOOP)

    @cached_property
    def _portal(self) -> Portal:
        # Django's test client knows no wsgi.py.
        found: Portal | None = getattr(self._request, "environ", {}).get(PORTAL)
        return found or portal_of(configured())

    def _begin(self, question: Question[T]) -> "Future[T]":
        work = partial(_answer, question, self.visit)
        loop = self._loop
        return self._portal.begin(work) if loop is None else asyncio.run_coroutine_threadsafe(work(), loop)

    def _wait(self, question: Question[T]) -> T:
        work = partial(_answer, question, self.visit)
        return self._portal.call(work) if self._loop is None else self._begin(question).result()

    @property
    def _may_need_form(self) -> bool:
        """Whether the form may hold the CSRF token, and nobody has looked yet; under ASGI Django has all of it."""
        if self._has_form or self._loop is not None or self._request.method in SAFE_METHODS:
            return False
        self._has_form = True
        return True

    async def _fields(self) -> Fields:
        # Django has the whole body; taking it apart may still take a while.
        return await asyncio.to_thread(_posted, self._request)


class Request(HttpRequest):
    """Django's request as views behind the middleware get it; for annotations alone.

    Attributes:
        ostiary: ostiary in this request.
    """

    ostiary: Here


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


async def _answer(question: Question[T], visit: HostVisit) -> T:
    return await question(visit)


def _posted(request: HttpRequest) -> Fields:
    return tuple((name, str(value)) for name, values in request.POST.lists() for value in values)


def _given(response: HttpResponseBase) -> Headers:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]


def _add(response: HttpResponseBase, headers: Headers) -> None:
    for name, value in headers:
        if name == b"set-cookie":  # several are several only here
            response.cookies.update(SimpleCookie(value.decode("latin-1")))
        elif name != b"content-length":  # a middleware of the host may compress it
            response.headers[name.decode("latin-1")] = value.decode("latin-1")
