"""Owns the bound on request line and headers: uvicorn's fast parser has none, so one client could fill memory (L28).

Bodies are bounded by `ostiary.http.body`.
"""

from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT: Final = 65536


class TooLarge(Exception):
    """Raised inside the parser, which then answers 400."""


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with a limit on everything that is no body."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._pending = 0  # bytes that came since the parser last understood something whole
        self._head = 0
        self._progress = False

    def data_received(self, data: bytes) -> None:
        self._progress = False
        super().data_received(data)
        self._pending = 0 if self._progress else self._pending + len(data)
        if self._pending > HEAD_LIMIT and not self.transport.is_closing():
            self.send_400_response("Request line or headers are too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head = 0

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        # Also called for the trailers of a chunked body.
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._progress = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._progress = True
        super().on_body(body)

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > HEAD_LIMIT:
            raise TooLarge
