"""What a real server may answer, and that no answer takes more time, memory or patience than its limits say."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from ostiary.core.outgoing.failure import Failure, NoAnswer
from tests.core.outgoing.conftest import plain
from tests.support.outside import Visit, outside

SHORT = timedelta(milliseconds=400)
SIZE = 65_536


async def failure_of(behave: Callable[[Visit], Awaitable[None]], **limits: object) -> Failure:
    async with outside(behave) as server:
        with pytest.raises(NoAnswer) as failed:
            await plain(**limits).send("GET", f"http://127.0.0.1:{server.port}/")
        return failed.value.failure


async def test_a_request_arrives_and_its_answer_comes_back() -> None:
    """Method, path, headers and body as given; our own headers and no others; any status is an answer."""

    async def behave(visit: Visit) -> None:
        await visit.answer(
            b'{"error":"no"}', "Content-Type: application/json", "X-A: 1", "x-a: 2", status="400 Bad"
        )

    async with outside(behave) as server:
        answer = await plain().send(
            "POST",
            f"http://127.0.0.1:{server.port}/hook?a=b%20c",
            headers={"Webhook-Id": "w1"},
            content=b"payload",
        )
    [visit] = server.visits
    assert visit.line == "POST /hook?a=b%20c HTTP/1.1"
    assert visit.body == b"payload"
    headers = dict(line.lower().split(": ", 1) for line in visit.head.decode().split("\r\n")[1:-2])
    assert headers == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": "ostiary",
        "accept-encoding": "gzip",
        "connection": "close",
        "content-length": "7",
        "webhook-id": "w1",
    }
    assert (answer.status, answer.body) == (400, b'{"error":"no"}')
    assert (answer.headers["content-type"], answer.headers["x-a"]) == ("application/json", "1, 2")


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", b"hello"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello and much more", b"hello"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 204 No\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % SIZE + b"x" * SIZE, b"x" * SIZE),
    ],
    ids=["length", "longer than said", "chunks", "until the end", "interim", "no body", "exactly full"],
)
async def test_every_way_of_framing_is_read(raw: bytes, body: bytes) -> None:
    """By length, in chunks, until the end, after interim answers; exactly as large as may be."""
    async with outside(lambda visit: visit.write(raw)) as server:
        answer = await plain().send("GET", f"http://127.0.0.1:{server.port}/")
    assert answer.body == body


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\ncontent-len",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"220 mail.example ESMTP\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
        b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: a\x00b\r\n\r\n",
    ],
)
async def test_what_is_no_proper_answer_is_none(raw: bytes) -> None:
    """Half answers, false lengths, other protocols."""
    assert await failure_of(lambda visit: visit.write(raw)) is Failure.GARBLED


async def test_a_broken_connection_is_no_answer() -> None:
    """A reset in the middle of the body is told as such."""

    async def behave(visit: Visit) -> None:
        await visit.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        visit.writer.transport.abort()

    assert await failure_of(behave) is Failure.GARBLED


async def _stall(visit: Visit) -> None:
    await visit.stall()


async def _drip_status(visit: Visit) -> None:
    for byte in b"HTTP/1.1 200 OK" + b" " * 10_000:
        await visit.write(bytes([byte]))
        await asyncio.sleep(0.02)


async def _drip_headers(visit: Visit) -> None:
    await visit.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(10_000):
        await visit.write(b"x%d: y\r\n" % number)
        await asyncio.sleep(0.02)


async def _drip_body(visit: Visit) -> None:
    await visit.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n")
    for _ in range(10_000):
        await visit.write(b"x")
        await asyncio.sleep(0.02)


async def _drip_interim(visit: Visit) -> None:
    for _ in range(10_000):
        await visit.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        await asyncio.sleep(0.02)


async def _half_open(visit: Visit) -> None:
    await visit.answer(b"", "x: y", status="100 Continue")
    await visit.stall()


@pytest.mark.parametrize(
    "behave", [_stall, _drip_status, _drip_headers, _drip_body, _drip_interim, _half_open]
)
async def test_slow_servers_end_by_the_time_limit(behave: Callable[[Visit], Awaitable[None]]) -> None:
    """One limit for everything: no drop of a byte now and then makes the time start anew."""
    assert await failure_of(behave, time=SHORT) is Failure.TIMEOUT


async def _endless_status(visit: Visit) -> None:
    await visit.write(b"HTTP/1.1 200 ")
    while True:
        await visit.write(b"x" * 1000)


async def _endless_headers(visit: Visit) -> None:
    await visit.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        await visit.write(b"x: y\r\n" * 100)


async def _many_headers(visit: Visit) -> None:
    await visit.write(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 3000 + b"\r\n")


async def _endless_interim(visit: Visit) -> None:
    while True:
        await visit.write(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 100)


async def _endless_body(visit: Visit) -> None:
    await visit.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await visit.write(b"x" * 1000)


async def _endless_chunks(visit: Visit) -> None:
    await visit.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        await visit.write(b"1\r\nx\r\n" * 1000)


async def _many_chunks(visit: Visit) -> None:
    chunks = b"1\r\nx\r\n" * 20_000
    await visit.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")


async def _endless_extensions(visit: Visit) -> None:
    await visit.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        await visit.write(b"1;" + b"e" * 10_000 + b"\r\nx\r\n")


async def _endless_trailers(visit: Visit) -> None:
    await visit.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n")
    while True:
        await visit.write(b"x: y\r\n" * 1000)


async def _one_byte_too_many(visit: Visit) -> None:
    await visit.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (SIZE + 1))


async def _announced(visit: Visit) -> None:
    await visit.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n")
    await visit.stall()


@pytest.mark.parametrize(
    "behave",
    [
        _endless_status,
        _endless_headers,
        _many_headers,
        _endless_interim,
        _endless_body,
        _endless_chunks,
        _many_chunks,
        _endless_extensions,
        _one_byte_too_many,
        _announced,
    ],
)
async def test_large_answers_end_by_the_size_limits(behave: Callable[[Visit], Awaitable[None]]) -> None:
    """Head and body, framing included; an honest length is refused before anything of it is read."""
    assert await failure_of(behave) is Failure.TOO_LARGE


async def test_endless_trailers_end() -> None:
    """What follows the last chunk is bounded by the reader of HTTP itself."""
    assert await failure_of(_endless_trailers) is Failure.GARBLED


def coded(body: bytes, coding: str) -> Callable[[Visit], Awaitable[None]]:
    return lambda visit: visit.answer(body, f"content-encoding: {coding}")


async def test_gzip_is_unpacked_up_to_the_size_limit() -> None:
    """To the byte; and what unpacks to more, on any scale, never is."""
    packed = gzip.compress(b"x" * SIZE)
    async with outside(coded(packed, "gzip")) as server:
        answer = await plain().send("GET", f"http://127.0.0.1:{server.port}/")
    assert answer.body == b"x" * SIZE
    assert await failure_of(coded(gzip.compress(b"x" * (SIZE + 1)), "gzip")) is Failure.TOO_LARGE
    bomb = gzip.compress(bytes(40_000_000))
    assert len(bomb) < SIZE
    tracemalloc.start()
    try:
        assert await failure_of(coded(bomb, "gzip")) is Failure.TOO_LARGE
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (gzip.compress(gzip.compress(b"twice")), "gzip, gzip"),
        (gzip.compress(b"cut off in the middle")[:-9], "gzip"),
        (gzip.compress(b"one") + gzip.compress(b"two"), "gzip"),
        (b"not gzip at all", "gzip"),
        (zlib.compress(b"deflate"), "deflate"),
        (b"anything", "br"),
        (b"anything", "zstd"),
        (b"anything", "x-unheard-of"),
    ],
    ids=["twice", "cut off", "joined", "not gzip", "deflate", "brotli", "zstd", "unheard-of"],
)
async def test_other_codings_are_refused(body: bytes, coding: str) -> None:
    """Nothing but one layer of gzip was asked for; layers upon layers are how bombs are built."""
    assert await failure_of(coded(body, coding)) is Failure.GARBLED


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_answers(status: int) -> None:
    """L18: the place that a redirect names gets no visit."""
    async with outside(lambda visit: visit.answer(b"secret")) as inner:
        where = f"http://127.0.0.1:{inner.port}/"

        async def behave(visit: Visit) -> None:
            await visit.answer(b"", f"location: {where}", f"refresh: 0; url={where}", status=f"{status} Go")

        async with outside(behave) as server:
            answer = await plain().send("GET", f"http://127.0.0.1:{server.port}/")
    assert (answer.status, answer.headers["location"]) == (status, where)
    assert (len(server.visits), inner.connections) == (1, 0)


async def test_nothing_is_kept_between_calls() -> None:
    """No cookie, no connection, no credential."""
    async with outside(lambda visit: visit.answer(b"", "set-cookie: a=b; path=/", "alt-svc: h2")) as server:
        client = plain()
        for _ in range(2):
            await client.send(
                "GET", f"http://127.0.0.1:{server.port}/", headers={"authorization": "Bearer x"}
            )
        await client.send("GET", f"http://127.0.0.1:{server.port}/")
    assert server.connections == 3
    assert [visit.header("cookie") for visit in server.visits] == [None] * 3
    assert [visit.header("authorization") for visit in server.visits] == ["Bearer x", "Bearer x", None]
