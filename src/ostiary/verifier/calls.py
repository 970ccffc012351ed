"""Owns the calls of a verifier to its issuer: bounded in size and time, and as plain as HTTP can be.

Nothing here could follow a redirect, keep a cookie, ask a proxy or unpack an answer: the connection is httpcore2's.
The addresses are the operator's, so no network is out of reach.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ostiary.kernel.errors import Unavailable

if TYPE_CHECKING:
    from httpcore2 import AsyncConnectionPool, Response

_IDLE: Final = timedelta(seconds=60)


class CallFailed(Unavailable):
    """The issuer did not answer as it should.

    Attributes:
        status: Its answer's status, where there was one.
    """

    def __init__(self, what: str, status: int | None = None) -> None:
        super().__init__(what)
        self.status = status


class Calls:
    """Connections to the issuer, kept open between calls. Belongs to the event loop that first uses it."""

    def __init__(self) -> None:
        self._pool: AsyncConnectionPool | None = None

    async def get(self, url: str, *, accept: str, size: int, time: timedelta) -> bytes:
        """Fetch the body of an answer that says 200.

        Args:
            url: Absolute.
            accept: The media type that is wanted; an answer of another one is none.
            size: Most bytes.
            time: For everything together.

        Raises:
            CallFailed: anything else came, or nothing did; the message has nothing of what the other side wrote.
        """
        from httpcore2 import NetworkError, ProtocolError, TimeoutException

        try:
            async with asyncio.timeout(time.total_seconds()), self._answer(url, accept) as response:
                return await _body(response, accept, size)
        except (TimeoutError, TimeoutException):
            raise CallFailed(f"no answer within {time.total_seconds():g} s") from None
        except (NetworkError, OSError):
            raise CallFailed("no connection") from None
        except (ProtocolError, ValueError):
            raise CallFailed("the answer cannot be read") from None

    @asynccontextmanager
    async def _answer(self, url: str, accept: str) -> AsyncIterator["Response"]:
        headers = [("Accept", accept), ("Accept-Encoding", "identity"), ("User-Agent", "ostiary-verifier")]
        async with self._connections().stream("GET", url, headers=headers) as response:
            yield response

    def _connections(self) -> "AsyncConnectionPool":
        if self._pool is None:
            from httpcore2 import AsyncConnectionPool

            tls = ssl.create_default_context()
            tls.minimum_version = ssl.TLSVersion.TLSv1_2
            self._pool = AsyncConnectionPool(tls, keepalive_expiry=_IDLE.total_seconds())
        return self._pool

    async def close(self) -> None:
        """Give the connections back."""
        if self._pool is not None:
            await self._pool.aclose()
            self._pool = None


async def _body(response: "Response", accept: str, size: int) -> bytes:
    if response.status != 200:
        raise CallFailed(f"the answer is {response.status}", response.status)
    headers: Mapping[str, str] = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
    }
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise CallFailed("the answer is coded, which was not asked for")
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if accept not in (media, "*/*"):
        raise CallFailed(f"the answer is not {accept}")
    body = bytearray()
    async for piece in response.aiter_stream():
        body += piece
        if len(body) > size:
            raise CallFailed(f"the answer is longer than {size} bytes")
    return bytes(body)
