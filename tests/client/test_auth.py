"""`UserAuth` with both libraries, in tasks and in threads: one refresh, saved before it is used."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import httpx
import httpx2
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from ostiary.client import SessionOver, Tokens, Unavailable
from ostiary.client.httpx import UserAuth as HttpxAuth
from ostiary.client.httpx2 import UserAuth as Httpx2Auth
from ostiary.kernel.errors import Misuse
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World
from tests.client.site import Site, Store, old, serving
from tests.support.ports import free_port
from tests.verifier.hands import Hands
from tests.verifier.waiting import until

MINUTE = timedelta(minutes=1)


class Clock(Hands):
    """A clock on the wall that a test turns."""

    def now(self) -> Any:
        """The turned moment."""
        return super().now() + self._passed


@pytest.fixture
def site() -> Iterator[Site]:
    """Issuer and service."""
    with serving() as site:
        yield site


@pytest.fixture(params=[httpx2, httpx], ids=["httpx2", "httpx"])
def library(request: pytest.FixtureRequest) -> Any:
    """Each of the two libraries."""
    return request.param


def auth_for(library: Any, site: Site, store: Store, **more: Any) -> Any:
    """The library's `UserAuth` with the pair in force."""
    kind = Httpx2Auth if library is httpx2 else HttpxAuth
    given: dict[str, Any] = {"tokens": site.tokens(), "origins": [site.url], "save": store.save} | more
    return kind(site.url, given.pop("tokens"), **given)


async def get(library: Any, auth: Any, url: str, times: int = 1) -> list[Any]:
    """So many requests at once."""
    async with library.AsyncClient(auth=auth, timeout=30) as client:
        return list(await asyncio.gather(*(client.get(url) for _ in range(times))))


async def test_a_good_token_is_sent_as_it_is(site: Site, library: Any) -> None:
    """Nothing is refreshed that need not be."""
    store = Store()
    (answer,) = await get(library, auth_for(library, site, store), f"{site.url}/notes")
    assert (answer.status_code, site.asked, site.refreshes, store.kept) == (200, ["Bearer access-1"], 0, [])


async def test_fifty_requests_at_once_refresh_once(site: Site, library: Any) -> None:
    """When the token is over: one refresh, every request goes out with the new one, none with the old."""
    store = Store()
    auth = auth_for(library, site, store, tokens=old(site.tokens(), World()))
    answers = await get(library, auth, f"{site.url}/notes", 50)
    assert {answer.status_code for answer in answers} == {200}
    assert (site.refreshes, len(store.kept), set(site.asked)) == (1, 1, {"Bearer access-2"})
    assert auth.tokens.refresh_token.reveal() == "refresh-2"
    assert store.kept[0].access_token.matches("access-2")


@pytest.mark.parametrize("code", ["token_expired", "token_stale"])
async def test_fifty_refusals_refresh_once(site: Site, library: Any, code: str) -> None:
    """When services refuse the token: one refresh, and each request is repeated once."""
    site.refusal = code
    store = Store()
    auth = auth_for(library, site, store, tokens=Tokens(Secret("stale"), site.tokens().refresh_token))
    answers = await get(library, auth, f"{site.url}/notes", 50)
    assert {answer.status_code for answer in answers} == {200}
    assert (site.refreshes, len(store.kept), len(site.asked)) == (1, 1, 100)


def test_fifty_threads_refresh_once(site: Site, library: Any) -> None:
    """The same from threads, with one client or one for each."""
    store = Store()
    auth = auth_for(library, site, store, tokens=old(site.tokens(), World()))
    gate = threading.Barrier(50)

    def ask(_: int) -> int:
        with library.Client(auth=auth, timeout=30) as client:
            gate.wait(20)
            return int(client.get(f"{site.url}/notes").status_code)

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(ask, range(50))) == {200}
    assert (site.refreshes, len(store.kept), set(site.asked)) == (1, 1, {"Bearer access-2"})


async def test_tasks_and_threads_share_one_refresh(site: Site, library: Any) -> None:
    """One `UserAuth` in an asynchronous client and in threads at once still refreshes once."""
    store = Store()
    auth = auth_for(library, site, store, tokens=old(site.tokens(), World()))

    def ask(_: int) -> int:
        with library.Client(auth=auth, timeout=30) as client:
            return int(client.get(f"{site.url}/notes").status_code)

    with ThreadPoolExecutor(10) as pool:
        loop = asyncio.get_running_loop()
        threads = [loop.run_in_executor(pool, ask, number) for number in range(10)]
        answers = await get(library, auth, f"{site.url}/notes", 10)
        assert set(await asyncio.gather(*threads)) == {200}
    assert {answer.status_code for answer in answers} == {200}
    assert (site.refreshes, len(store.kept)) == (1, 1)


async def test_a_token_is_replaced_before_it_ends(site: Site, library: Any) -> None:
    """A minute ahead of its end, again and again."""
    clock, store = Clock(), Store()
    auth = auth_for(library, site, store, world=World(clock=clock))
    for minutes, generation in ((13, 1), (1.5, 2), (13, 2), (1.5, 3)):
        clock.turn(minutes * MINUTE)
        await get(library, auth, f"{site.url}/notes")
        assert site.asked[-1] == f"Bearer access-{generation}"
    assert (site.refreshes, len(store.kept)) == (2, 2)


async def test_the_new_pair_is_saved_before_it_is_used(site: Site, library: Any) -> None:
    """No request leaves with a token that would be lost in a crash."""
    events: list[str] = []

    async def save(tokens: Tokens) -> None:
        events.append(f"begin {len(site.asked)}")
        await asyncio.sleep(0.05)
        events.append(f"end {len(site.asked)}")

    auth = auth_for(library, site, Store(), save=save, tokens=old(site.tokens(), World()))
    await get(library, auth, f"{site.url}/notes", 10)
    assert events == ["begin 0", "end 0"]
    assert len(site.asked) == 10


async def test_a_pair_that_cannot_be_saved_is_not_used_and_not_lost(site: Site, library: Any) -> None:
    """The requests fail with the store's own error; the next one saves the same pair, without another refresh."""
    store = Store()
    store.fails = 2
    auth = auth_for(library, site, store, tokens=old(site.tokens(), World()))
    for _ in range(2):
        with pytest.raises(OSError, match="disk"):
            await get(library, auth, f"{site.url}/notes", 5)
    assert site.asked == []
    await get(library, auth, f"{site.url}/notes")
    assert (site.refreshes, len(store.kept), site.asked) == (1, 1, ["Bearer access-2"])


def test_an_asynchronous_save_needs_an_asynchronous_client(site: Site, library: Any) -> None:
    """It would never be awaited; the message says so, and the pair waits for one that can."""
    store = Store()
    auth = auth_for(library, site, store, save=store.save_async, tokens=old(site.tokens(), World()))
    with library.Client(auth=auth) as client, pytest.raises(Misuse, match="asynchronous client"):
        client.get(f"{site.url}/notes")
    asyncio.run(get(library, auth, f"{site.url}/notes"))
    assert (site.refreshes, len(store.kept)) == (1, 1)


@pytest.mark.parametrize(
    "code", ["refresh_token_expired", "refresh_token_reused", "refresh_token_invalid", "session_ended"]
)
async def test_a_session_that_is_over_is_said_once_and_remembered(
    site: Site, library: Any, code: str
) -> None:
    """Every request that waited, and every later one, gets `SessionOver`; the issuer is asked once."""
    site.answers = [JSONResponse({"code": code}, 401)]
    auth = auth_for(library, site, Store(), tokens=old(site.tokens(), World()))
    async with library.AsyncClient(auth=auth) as client:
        outcomes = await asyncio.gather(
            *(client.get(f"{site.url}/notes") for _ in range(10)), return_exceptions=True
        )
        for error in outcomes:
            assert isinstance(error, SessionOver)
            assert (error.told, error.code.name) == (code, "session_ended")
        with pytest.raises(SessionOver):
            await client.get(f"{site.url}/notes")
    assert (site.refreshes, site.asked) == (1, [])


NOT_NOW: dict[str, Response] = {
    "busy": JSONResponse({"code": "unavailable"}, 503, {"Retry-After": "7"}),
    "too many": JSONResponse({"code": "too_many_attempts"}, 429),
    "a proxy's page": PlainTextResponse("Forbidden", 403),
    "a proxy's JSON": JSONResponse({"message": "Unauthorized"}, 401),
    "a redirect": RedirectResponse("/other", 307),
    "no JSON": PlainTextResponse("ok"),
    "no pair": JSONResponse({"access_token": "a", "token_type": "Bearer", "expires_in": 9}),
    "a pair of another kind": JSONResponse(
        {"access_token": "a", "refresh_token": "b", "token_type": "DPoP", "expires_in": 9}
    ),
    "a token with a line break": JSONResponse(
        {"access_token": "a\r\nX: y", "refresh_token": "b", "token_type": "Bearer", "expires_in": 9}
    ),
    "no end": JSONResponse({"access_token": "a", "refresh_token": "b", "token_type": "Bearer"}),
    "an end long ago": JSONResponse(
        {"access_token": "a", "refresh_token": "b", "token_type": "Bearer", "expires_in": -1}
    ),
    "members twice": Response(
        '{"access_token":"a","access_token":"c","refresh_token":"b","token_type":"Bearer","expires_in":9}'
    ),
    "far too much": PlainTextResponse("x" * 1_000_000),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_NOW)
async def test_an_issuer_in_trouble_is_asked_again_later(site: Site, library: Any, name: str) -> None:
    """No answer but the issuer's own refusal ends a session; the next try comes after a pause, and works."""
    clock, store = Clock(), Store()
    site.answers = [NOT_NOW[name]]
    world = World(clock=clock)
    auth = auth_for(library, site, store, tokens=old(site.tokens(), world), world=world)
    for _ in range(3):
        with pytest.raises(Unavailable):
            await get(library, auth, f"{site.url}/notes", 5)
    assert (site.refreshes, site.asked, site.seen) == (1, [], [])
    clock.turn(timedelta(seconds=8))
    await get(library, auth, f"{site.url}/notes")
    assert (site.refreshes, len(store.kept)) == (2, 1)


async def test_a_token_that_still_holds_is_used_while_the_issuer_is_away(site: Site, library: Any) -> None:
    """Refreshing ahead is a courtesy: when it fails, requests go on, and it is tried again after a pause."""
    clock, store = Clock(), Store()
    auth = auth_for(library, site, store, world=World(clock=clock), ahead=10 * MINUTE)
    clock.turn(6 * MINUTE)
    site.answers = [Response(status_code=503)]
    for _ in range(3):
        (answer,) = await get(library, auth, f"{site.url}/notes")
        assert answer.status_code == 200
    assert (site.refreshes, set(site.asked)) == (1, {"Bearer access-1"})
    clock.turn(timedelta(seconds=6))
    await get(library, auth, f"{site.url}/notes")
    assert (site.refreshes, site.asked[-1]) == (2, "Bearer access-2")


@pytest.mark.parametrize("is_async", [True, False])
async def test_an_answer_that_is_lost_is_asked_for_again(site: Site, library: Any, is_async: bool) -> None:
    """The issuer has exchanged the tokens and the connection broke: the same successor comes at the second try."""
    site.loses = 1
    store = Store()
    auth = auth_for(library, site, store, tokens=old(site.tokens(), World()))
    if is_async:
        await get(library, auth, f"{site.url}/notes")
    else:
        with library.Client(auth=auth) as client:
            assert (await asyncio.to_thread(client.get, f"{site.url}/notes")).status_code == 200
    assert (site.refreshes, site.generation, len(store.kept)) == (2, 2, 1)


async def test_nobody_there_is_unavailable(library: Any) -> None:
    """A closed port is no end of a session."""
    site = Site(port=free_port())
    auth = auth_for(library, site, Store(), tokens=old(site.tokens(), World()))
    with pytest.raises(Unavailable, match="ConnectError"):
        await get(library, auth, f"{site.url}/notes")
    with library.Client(auth=auth) as client, pytest.raises(Unavailable):
        client.get(f"{site.url}/notes")


async def test_a_request_that_is_cancelled_does_not_cancel_the_refresh(site: Site, library: Any) -> None:
    """The one that began it is given up; the others get the new tokens, which are saved."""
    site.delay = 0.3
    store = Store()
    auth = auth_for(library, site, store, save=store.save_async, tokens=old(site.tokens(), World()))
    async with library.AsyncClient(auth=auth) as client:
        first = asyncio.create_task(client.get(f"{site.url}/notes"))
        await until(lambda: site.refreshes == 1)
        others = [asyncio.create_task(client.get(f"{site.url}/notes")) for _ in range(3)]
        await asyncio.sleep(0.01)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert {answer.status_code for answer in await asyncio.gather(*others)} == {200}
    assert (site.refreshes, len(store.kept)) == (1, 1)


@pytest.mark.parametrize("refusal", ["token_invalid", "session_ended", "permission_denied"])
async def test_a_refusal_that_new_tokens_would_not_mend_is_passed_on(
    site: Site, library: Any, refusal: str
) -> None:
    """The caller gets the service's answer, and the issuer is left in peace."""
    site.refusal = refusal
    auth = auth_for(library, site, Store(), tokens=Tokens(Secret("foreign"), site.tokens().refresh_token))
    (answer,) = await get(library, auth, f"{site.url}/notes")
    assert (answer.status_code, answer.json()["code"], site.refreshes) == (401, refusal, 0)


async def test_a_request_is_repeated_once_only(site: Site, library: Any) -> None:
    """A service that refuses everything is not asked for ever."""

    def save(_: Tokens) -> None:
        site.forget()  # whatever is issued, the service knows another

    auth = auth_for(library, site, Store(), save=save)
    site.forget()
    (answer,) = await get(library, auth, f"{site.url}/notes")
    assert (answer.status_code, site.refreshes, len(site.asked)) == (401, 1, 2)


async def test_a_body_is_sent_again_if_it_is_still_there(site: Site, library: Any) -> None:
    """Bytes are; a stream is gone after the first time: then the answer is the refusal, and the next request works."""
    store = Store()
    stale = Tokens(Secret("stale"), site.tokens().refresh_token)

    async def stream() -> AsyncIterator[bytes]:
        yield b"a stream"

    async with library.AsyncClient(auth=auth_for(library, site, store, tokens=stale)) as client:
        answer = await client.post(f"{site.url}/notes", json={"a": 1})
        assert (answer.status_code, site.bodies) == (200, [b'{"a":1}'] * 2)
        site.forget()
        assert (await client.post(f"{site.url}/notes", content=stream())).status_code == 401
        assert site.bodies[2:] == [b"a stream"]
        assert (await client.get(f"{site.url}/notes")).status_code == 200


async def test_only_named_origins_see_the_token(site: Site, library: Any) -> None:
    """Another port is another service; so is a place that a redirect leads to."""
    with serving() as stranger:
        auth = auth_for(library, site, Store())
        await get(library, auth, f"{stranger.url}/other")
        assert stranger.seen == [""]
        await get(library, auth, f"{site.url.replace('127.0.0.1', 'localhost')}/other")
        assert site.seen == [""]
        await get(library, auth, f"{site.url}/other")
        assert site.seen == ["", "Bearer access-1"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"origins": []}, {"origins": "https://api.example.com"}, {"origins": ["http://api.example.com"]},
        {"origins": ["https://api.example.com/notes"]}, {"origins": ["api.example.com"]}, {"issuer": "http://id.example.com"},
        {"issuer": "id.example.com"}, {"issuer": "https://id.example.com?x"},
    ],
)  # fmt: skip
def test_an_address_that_must_not_see_tokens_is_misuse(library: Any, wrong: dict[str, Any]) -> None:
    """Plain http from afar, everything, or nothing: refused when the program starts."""
    kind = Httpx2Auth if library is httpx2 else HttpxAuth
    given: dict[str, Any] = {
        "issuer": "https://id.example.com",
        "origins": ["https://api.example.com"],
    } | wrong
    with pytest.raises(Misuse):
        kind(given["issuer"], Tokens(Secret("a"), Secret("b")), origins=given["origins"], save=Store().save)


async def test_no_proxy_of_the_surroundings_sees_a_plain_token(
    site: Site, library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refresh over plain http stays on this machine."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    auth = auth_for(library, site, Store(), tokens=old(site.tokens(), World()))
    async with library.AsyncClient(auth=auth, trust_env=False) as client:
        assert (await client.get(f"{site.url}/notes")).status_code == 200


def test_tokens_do_not_show() -> None:
    """Not in a log of the pair, and not in one of the error."""
    site = Site()
    assert "access-1" not in repr(site.tokens())
    assert "refresh-1" not in repr(site.tokens())
    assert "refresh" not in str(SessionOver("session_ended"))


def test_an_end_without_a_time_zone_is_misuse() -> None:
    """It would be compared with another time than was meant."""
    with pytest.raises(Misuse, match="time zone"):
        Tokens(Secret("a"), Secret("b"), datetime(2027, 1, 1))
