"""Owns the answer of another server: reading it within bounds, and what of it is handed on."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from httpcore2 import Response

from ostiary.core.outgoing.network import TooLarge

_GZIP: Final = zlib.MAX_WBITS | 16
# Each chunk costs the reader of HTTP some microseconds, however small it is.
_MOST_PIECES: Final = 10_000


class Garbled(Exception):
    """The answer cannot be read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Any status is an answer; a redirect is one, too, and is not followed.

    Attributes:
        status: The HTTP status.
        headers: By lower-case name; several of one name are joined with a comma (RFC 9110 section 5.2).
        body: Decoded. It may be secret, so it is not shown.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


async def read_answer(response: Response, head: int, size: int) -> Answer:
    """Read an answer to its end.

    Args:
        response: Whose head has come.
        head: Most bytes of headers.
        size: Most bytes of the body, as sent and decoded.

    Raises:
        TooLarge: it is larger than that, or says so.
        Garbled: it is coded in a way that was not asked for, or wrongly.
    """
    if response.status < 200:
        raise Garbled  # it would change the protocol (101), which nobody asked for
    if sum(len(name) + len(value) + 4 for name, value in response.headers) > head:
        raise TooLarge
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    # A false or repeated length is httpcore2's to refuse; an honest one saves us reading.
    if int(headers.get("content-length", "0").partition(",")[0]) > size:
        raise TooLarge
    body = bytearray()
    pieces = 0
    async for piece in response.aiter_stream():
        body += piece
        pieces += 1
        if len(body) > size or pieces > _MOST_PIECES:
            raise TooLarge
    return Answer(response.status, MappingProxyType(headers), _decode(headers, bytes(body), size))


def _decode(headers: Mapping[str, str], body: bytes, size: int) -> bytes:
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding == "identity" or not body:
        return body
    if coding not in ("gzip", "x-gzip"):
        raise Garbled
    unpack = zlib.decompressobj(_GZIP)
    try:
        # One byte more than may come, and nothing beyond it is ever unpacked.
        plain = unpack.decompress(body, size + 1)
    except zlib.error:
        raise Garbled from None
    if len(plain) > size:
        raise TooLarge
    if not unpack.eof or unpack.unused_data:
        raise Garbled
    return plain
