"""Owns the resolving of names into addresses, all of them, once per call."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Final

from ostiary.core.outgoing.reach import Address

Resolve = Callable[[str], Awaitable[tuple[Address, ...]]]
"""From a name to its addresses; raises `OSError` when there are none."""

_THREADS: Final = 4


class SystemNames:
    """Asks whatever this machine asks: its hosts file, its name servers.

    A look-up cannot be called off, so it runs in threads of its own: a name server that does not answer holds up other
    look-ups, whose calls end by their time limit, and nothing else.
    """

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None

    async def __call__(self, name: str) -> tuple[Address, ...]:
        """Every address of a name.

        Raises:
            OSError: it has none.
        """
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, "ostiary-names")
        found = await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, name)
        return tuple(dict.fromkeys(found))

    def close(self) -> None:
        """Let the threads end; the next look-up starts new ones."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)


def _look_up(name: str) -> list[Address]:
    # Bytes, since text would go through an older IDNA; the reader of URLs has let nothing but ASCII pass.
    answers = socket.getaddrinfo(name.encode("ascii"), None, type=socket.SOCK_STREAM)
    return [ip_address(str(answer[4][0])) for answer in answers]
