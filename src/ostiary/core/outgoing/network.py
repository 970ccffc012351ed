"""Owns the connection: to addresses that were judged and nowhere else, with every byte that comes in counted."""

import ssl
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final

from httpcore2 import (
    SOCKET_OPTION,
    AnyIOBackend,
    AsyncNetworkBackend,
    AsyncNetworkStream,
    ConnectError,
    ConnectTimeout,
)

from ostiary.core.outgoing.reach import Address

_MOST_TRIED: Final = 4
# Headers are read in small pieces, so that their end, or its lack, is seen before much has come.
_PIECE: Final = 4096


class TooLarge(Exception):
    """More came in than may."""


class Meter:
    """Counts what comes in on the wire, first for the head of the answer and then for all of it.

    Args:
        head: Most bytes of status line and headers, all interim answers (RFC 9110 section 15.2) included.
        size: Most bytes of the body; on the wire twice as many are let in, for the framing of chunks.
    """

    def __init__(self, head: int, size: int) -> None:
        self._head = head + _PIECE
        self._all = self._head + 2 * size
        self._seen = 0
        self._in_head = True

    def head_is_over(self) -> None:
        """What comes from now on is body."""
        self._in_head = False

    def piece(self, wanted: int) -> int:
        """How much to read at once."""
        return min(wanted, _PIECE) if self._in_head else wanted

    def count(self, data: bytes) -> bytes:
        """Count what came.

        Raises:
            TooLarge: it is too much.
        """
        self._seen += len(data)
        if self._seen > (self._head if self._in_head else self._all):
            raise TooLarge
        return data


class Pinned(AsyncNetworkBackend):
    """A network in which every name leads to the addresses that were judged.

    Args:
        addresses: Tried in this order, the first few of them.
        patience: For all of them together.
        meter: Counts what comes in.
    """

    def __init__(self, addresses: Sequence[Address], patience: timedelta, meter: Meter) -> None:
        self._addresses = addresses[:_MOST_TRIED]
        self._each = patience.total_seconds() / len(self._addresses)
        self._meter = meter
        self._opened: list[AsyncNetworkStream] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the signature is httpcore2's
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """Connect to one of the addresses, whatever the name."""
        failed: Exception = ConnectError()
        for address in self._addresses:
            try:
                stream = await AnyIOBackend().connect_tcp(str(address), port, timeout=self._each)
            except (ConnectError, ConnectTimeout) as error:
                failed = error
                continue
            self._opened.append(stream)
            return _Metered(stream, self._meter)
        raise failed

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109  # the signature is httpcore2's
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """Never: no URL leads here."""
        raise ConnectError

    async def close(self) -> None:
        """Close whatever is still open: httpcore2 forgets a connection that is called off within the TLS handshake."""
        for stream in self._opened:
            await stream.aclose()


class _Metered(AsyncNetworkStream):
    """A stream that counts what it reads. TLS is put on the stream below, so what is counted is HTTP."""

    def __init__(self, stream: AsyncNetworkStream, meter: Meter) -> None:
        self._stream = stream
        self._meter = meter

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return self._meter.count(await self._stream.read(self._meter.piece(max_bytes), timeout))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> AsyncNetworkStream:
        return _Metered(await self._stream.start_tls(ssl_context, server_hostname, timeout), self._meter)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
