"""Owns other people's HTTP servers, as tests need them: real ones on loopback that behave as they are told."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Behave = Callable[["Visit"], Awaitable[None]]


@dataclass
class Visit:
    """One connection, after its request has come.

    Attributes:
        head: Request line and headers, as they came.
        body: The body.
        sni: The name that TLS asked for; None without TLS or when it asked for none.
    """

    head: bytes
    body: bytes
    sni: str | None
    writer: asyncio.StreamWriter

    @property
    def line(self) -> str:
        """The request line."""
        return self.head.decode("latin-1").partition("\r\n")[0]

    def header(self, name: str) -> str | None:
        """A header's value; None without one."""
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name:
                return value.strip()
        return None

    async def write(self, data: bytes) -> None:
        """Send some bytes."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, body: bytes = b"", *headers: str, status: str = "200 OK") -> None:
        """Send a whole answer."""
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
        await self.write("\r\n".join(lines).encode("latin-1") + body)

    async def stall(self) -> None:
        """Stay connected and say nothing more."""
        await asyncio.Event().wait()


@dataclass
class Outside:
    """A running server.

    Attributes:
        connections: How many came, whether or not they sent a request.
        visits: Those that sent a request.
    """

    port: int = 0
    connections: int = 0
    visits: list[Visit] = field(default_factory=list)


@asynccontextmanager
async def outside(
    behave: Behave, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Outside]:
    """Run a server in this loop, and hang up on everybody at the end.

    Args:
        behave: What it does once a request has come; afterwards it hangs up.
        host: The address to listen at.
        port: The port; any free one unless given.
        tls: Its certificate.
    """
    made = Outside()
    visitors: set[asyncio.Task[Any]] = set()
    asked: list[str | None] = []
    if tls is not None:
        # The client's wish, which the handshake itself need not heed.
        tls.sni_callback = lambda _socket, name, _context: asked.append(name)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        visitors.add(task)
        made.connections += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            visit = Visit(head, b"", asked[-1] if asked else None, writer)
            visit.body = await reader.readexactly(int(visit.header("content-length") or 0))
            made.visits.append(visit)
            await behave(visit)
            writer.close()
            await writer.wait_closed()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(talk, host, port, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in visitors:
            task.cancel()
        await asyncio.gather(*visitors, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.wait_closed(), 5)
