"""Owns what our `Auth` does with a request: token on, refresh ahead, refresh and repeat once when it was refused.

Written for httpx2 and httpx alike: of requests and responses it uses what both have.
"""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Final

from ostiary.client.origins import origin_of, read_origins
from ostiary.client.pair import Flight, Pair
from ostiary.client.tokens import MOST_BYTES, Tokens, asks_for_refresh, read_answer
from ostiary.kernel.errors import Misuse, Unavailable
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from ostiary.protocols.service_address import read_address

Save = Callable[[Tokens], Awaitable[None] | None]

# An issuer gives the same successor again for ten seconds, so a lost answer can be asked for once more.
_TIMEOUT: Final = timedelta(seconds=8)
_TRIES: Final = 2
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Answer:
    """The issuer's answer to a refresh."""

    status: int
    body: bytes
    retry_after: str


class PairFlow:
    """The part of `UserAuth` that does not depend on the library.

    Args:
        issuer: Where tokens are refreshed, such as ``https://id.example.com``.
        tokens: The user's pair, from a sign-in or as it was saved last.
        origins: The addresses that may see the access token, such as ``["https://api.example.com"]``. Requests to
            others pass as they are.
        save: Called with each new pair before it is used; keep it where the old one was. It may be asynchronous if only
            asynchronous clients use this. If it raises, the request fails with that, and the next one saves again.
        ahead: How long before its end an access token is replaced.
        world: The clock.

    Raises:
        Misuse: an address is not https.
    """

    _library: ClassVar[Any]  # httpx2 or httpx

    def __init__(
        self,
        issuer: str,
        tokens: Tokens,
        *,
        origins: Iterable[str],
        save: Save,
        ahead: timedelta = timedelta(seconds=60),
        world: World | None = None,
    ) -> None:
        read_address("issuer", issuer)
        self._refresh_url = issuer.rstrip("/") + "/auth/refresh"
        self._options = {
            "timeout": _TIMEOUT.total_seconds(),
            "follow_redirects": False,
            "trust_env": issuer.startswith(
                "https://"
            ),  # a proxy of the surroundings never sees a token in clear text
        }
        self._origins = read_origins(origins)
        self._save = save
        self._world = world or World()
        self._pair = Pair(tokens, ahead, self._world)
        self._flying: set[asyncio.Task[None]] = set()

    @property
    def tokens(self) -> Tokens:
        """The pair in force."""
        return self._pair.tokens

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:
        """What a `Client` does with a request.

        Raises:
            SessionOver: the user has to sign in again.
            Unavailable: the issuer cannot be reached, and the token is of no use any more.
        """
        if not self._may_see(request):
            yield request
            return
        token = self._current(None)
        _put(request, token)
        response = yield request
        if response.status_code != 401 or not asks_for_refresh(response.read()):
            return
        token = self._current(token)
        if _can_be_repeated(request):
            _put(request, token)
            yield request

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
        """What an `AsyncClient` does with a request.

        Raises:
            SessionOver: the user has to sign in again.
            Unavailable: the issuer cannot be reached, and the token is of no use any more.
        """
        if not self._may_see(request):
            yield request
            return
        token = await self._current_async(None)
        _put(request, token)
        response = yield request
        if response.status_code != 401 or not asks_for_refresh(await response.aread()):
            return
        token = await self._current_async(token)
        if _can_be_repeated(request):
            _put(request, token)
            yield request

    def _may_see(self, request: Any) -> bool:
        return origin_of(request.url.scheme, request.url.host, request.url.port) in self._origins

    def _current(self, refused: Secret | None) -> Secret:
        boarding = self._pair.board(refused)
        if boarding.flight is None:
            return boarding.tokens.access_token
        if boarding.must_fly:
            self._fly(boarding.flight)
        return self._pair.wait(boarding.flight, refused).access_token

    async def _current_async(self, refused: Secret | None) -> Secret:
        boarding = self._pair.board(refused)
        if boarding.flight is None:
            return boarding.tokens.access_token
        if boarding.must_fly:
            task = asyncio.create_task(self._fly_async(boarding.flight), name="ostiary: refresh")
            self._flying.add(task)
            task.add_done_callback(self._flying.discard)
        return (await self._pair.wait_async(boarding.flight, refused)).access_token

    def _fly(self, flight: Flight) -> None:
        try:
            tokens = flight.received or self._read(self._refresh(flight))
            self._pair.received(tokens)
            _require_done(self._save(tokens))
        except BaseException as error:
            self._pair.crashed(flight, _told(error))
            if not isinstance(error, Exception):
                raise
        else:
            self._pair.landed(flight, tokens)

    async def _fly_async(self, flight: Flight) -> None:
        try:
            tokens = flight.received or self._read(await self._refresh_async(flight))
            self._pair.received(tokens)
            if inspect.isawaitable(saving := self._save(tokens)):
                await saving
        except BaseException as error:
            self._pair.crashed(flight, _told(error))
            if not isinstance(error, Exception):
                raise
        else:
            self._pair.landed(flight, tokens)

    def _read(self, answer: Answer) -> Tokens:
        return read_answer(answer.status, answer.body, answer.retry_after, self._world.now())

    def _refresh(self, flight: Flight) -> Answer:
        failed = ""
        with self._library.Client(**self._options) as client:
            for _ in range(_TRIES):
                try:
                    with client.stream(
                        "POST", self._refresh_url, json=_body(flight), headers=_HEADERS
                    ) as response:
                        sent = bytearray()
                        for piece in response.iter_raw():
                            sent += piece
                            if len(sent) > MOST_BYTES:
                                break
                        return _answer(response, bytes(sent))
                except self._library.HTTPError as error:
                    failed = type(error).__name__
        raise _no_answer(failed)

    async def _refresh_async(self, flight: Flight) -> Answer:
        failed = ""
        async with self._library.AsyncClient(**self._options) as client:
            for _ in range(_TRIES):
                try:
                    async with client.stream(
                        "POST", self._refresh_url, json=_body(flight), headers=_HEADERS
                    ) as response:
                        sent = bytearray()
                        async for piece in response.aiter_raw():
                            sent += piece
                            if len(sent) > MOST_BYTES:
                                break
                        return _answer(response, bytes(sent))
                except self._library.HTTPError as error:
                    failed = type(error).__name__
        raise _no_answer(failed)


def _body(flight: Flight) -> dict[str, str]:
    return {"refresh_token": flight.presented.refresh_token.reveal()}


def _answer(response: Any, body: bytes) -> Answer:
    return Answer(response.status_code, body, response.headers.get("retry-after", ""))


def _no_answer(failed: str) -> Unavailable:
    # Soon again: for a few seconds the issuer would still give the successor that was lost.
    return Unavailable(f"refreshing: the issuer does not answer ({failed})", timedelta(seconds=1))


def _put(request: Any, token: Secret) -> None:
    request.headers["Authorization"] = f"Bearer {token.reveal()}"


def _can_be_repeated(request: Any) -> bool:
    """Whether the body is still there: a stream that was sent is gone."""
    try:
        return request.content is not None
    except RuntimeError:
        return False


def _told(error: BaseException) -> Exception:
    return (
        error
        if isinstance(error, Exception)
        else Unavailable("refreshing was interrupted", timedelta(seconds=1))
    )


def _require_done(saving: Awaitable[None] | None) -> None:
    if inspect.iscoroutine(saving):
        saving.close()  # nobody will await it
    if inspect.isawaitable(saving):
        raise Misuse("save: an asynchronous one needs an asynchronous client")
