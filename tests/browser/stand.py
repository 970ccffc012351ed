"""Owns an engine of the test kit behind a real port, for states that no setting of `ostiary serve` leads to."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from ostiary.testing import Kit, running


class _Quiet(uvicorn.Server):
    """Leaves the signals to pytest."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


@asynccontextmanager
async def standing(folder: Path, *, host: str = "127.0.0.1", **given: Any) -> AsyncIterator[Kit]:
    """A kit in development mode that answers at its base URL.

    Args:
        host: How this machine is called; browsers know no passkeys on addresses.
        given: For `running`.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://{host}:{listener.getsockname()[1]}"
        async with running(folder, base_url=url, dev=True, data=folder, **given) as kit:
            config = uvicorn.Config(
                kit.engine.app, lifespan="off", log_config=None, access_log=False, proxy_headers=False
            )
            server = _Quiet(config)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                yield kit
            finally:
                server.should_exit = True
                await serving
