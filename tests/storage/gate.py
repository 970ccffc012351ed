"""Owns a gate between an executor and a real PostgreSQL: it can hold back what the server answers.

So a test stops a statement exactly while it is under way, without a line of the executor being replaced.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Gate:
    """Passes bytes on; while shut, the server's answers wait."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._is_open = asyncio.Event()
        self._is_open.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.asked = asyncio.Event()

    def shut(self) -> None:
        """Hold answers back from now on; `asked` is set by the next question."""
        self._is_open.clear()
        self.asked.clear()

    def open(self) -> None:
        """Let everything through again."""
        self._is_open.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on, both ways, until either side ends it."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        ways = (self._pass(reader, server_writer, asks=True), self._pass(server_reader, writer, asks=False))
        try:
            await asyncio.gather(*ways, return_exceptions=True)
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            self._tasks.discard(task)
            for end in (writer, server_writer):
                end.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, asks: bool) -> None:
        try:
            while data := await reader.read(65536):
                if asks:
                    writer.write(data)
                    self.asked.set()
                else:
                    await self._is_open.wait()
                    writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    async def end(self) -> None:
        """Drop every connection."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def gate_before(url: str) -> AsyncIterator[tuple[Gate, str]]:
    """A gate and the URL that leads through it."""
    parts = urlsplit(url)
    gate = Gate(parts.hostname or "127.0.0.1", parts.port or 5432)
    server = await asyncio.start_server(gate.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    credentials = parts.netloc.rpartition("@")[0]
    try:
        yield gate, parts._replace(netloc=f"{credentials}@127.0.0.1:{port}").geturl()
    finally:
        server.close()
        gate.open()
        await gate.end()
        await server.wait_closed()
