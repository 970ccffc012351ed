"""Owns real `ostiary serve` processes for tests: started on a free port, waited for, stopped or killed by pid."""

import asyncio
import base64
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2

from ostiary.kernel.world import World
from tests.support.ports import free_port

PROGRAM: Final = str(Path(sys.executable).with_name("ostiary"))
ROOT_SECRET: Final = base64.urlsafe_b64encode(World().bytes(32)).rstrip(b"=").decode()
PATIENCE: Final = 60.0

# Becomes the server after asking to die with the test process. A program of its own, because `preexec_fn` is unsafe
# beside threads.
_LAUNCH: Final = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None, use_errno=True).prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the test process is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


def environment(**settings: object) -> dict[str, str]:
    """This process's environment without settings of ostiary, and with the given ones as OSTIARY_…."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OSTIARY_")}
    return kept | {f"OSTIARY_{name.upper()}": str(value) for name, value in settings.items()}


def production(port: int = 25) -> dict[str, Any]:
    """Settings that production starts with, its mail server on a loopback port."""
    return {
        "base_url": "https://auth.example.test",
        "root_secret": ROOT_SECRET,
        "smtp_host": "127.0.0.1",
        "smtp_port": port,
        "smtp_security": "none",
        "mail_from": "Example <no-reply@auth.example.test>",
    }


class Server:
    """One server process, the leader of its own process group.

    Args:
        process: The process.
        url: Where it listens.
        log: Where its stderr goes.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log

    @property
    def said(self) -> str:
        """What it has written to stderr."""
        return self.log.read_text()

    def client(self, **given: Any) -> httpx2.AsyncClient:
        """A client with cookies; the caller closes it."""
        return httpx2.AsyncClient(base_url=self.url, timeout=30, **given)

    async def ready(self, path: str = "/readyz", patience: float = PATIENCE) -> None:
        """Wait until it answers.

        Args:
            path: What it answers with 200.
            patience: For how many seconds.

        Raises:
            AssertionError: it ended instead, or does not answer in time.
        """
        deadline = time.monotonic() + patience
        async with self.client() as client:
            while time.monotonic() < deadline:
                if self.process.poll() is not None:
                    raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.said}")
                try:
                    if (await client.get(path)).status_code == 200:
                        return
                except httpx2.TransportError:
                    await asyncio.sleep(0.03)
        raise AssertionError(f"the server does not answer:\n{self.said}")

    def signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end and return the exit code."""
        return await asyncio.to_thread(self.process.wait, PATIENCE)

    async def stop(self) -> int:
        """End it in order (SIGTERM) and return the exit code."""
        self.signal(signal.SIGTERM)
        return await self.ended()

    async def kill(self) -> None:
        """End it as a power cut would, and prove that nothing of it lives on.

        Raises:
            AssertionError: a process of its group survived.
        """
        self.signal(signal.SIGKILL)
        await self.ended()
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return
        raise AssertionError("a process of the server survived it")


def launch(
    arguments: Sequence[str],
    log: Path,
    *,
    port: int,
    settings: Mapping[str, object],
    program: Sequence[str] = (PROGRAM, "serve", "--host", "127.0.0.1"),
) -> Server:
    """Start a server and do not wait for it. Call it from the main thread: the process dies with its thread."""
    command = [*program, *arguments, "--port", str(port)]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _LAUNCH, str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=log.parent,
            env=environment(**settings),
            start_new_session=True,
        )
    return Server(process, f"http://127.0.0.1:{port}", log)


@asynccontextmanager
async def serving(
    folder: Path, *arguments: str, port: int | None = None, **settings: object
) -> AsyncIterator[Server]:
    """A server that answers, killed at the end if it still runs.

    Args:
        folder: Its working directory; its log is `server.log` there.
        arguments: For `ostiary serve`.
        port: Where to listen; unless given a free one.
        settings: Given through the environment.
    """
    server = launch(arguments, folder / "server.log", port=port or free_port(), settings=settings)
    try:
        await server.ready()
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
        await server.ended()


async def mail_to(server: Server, address: str, *, count: int = 1) -> dict[str, Any]:
    """The latest mail to an address in a development server's mailbox, once there are `count`."""
    deadline = time.monotonic() + PATIENCE
    async with server.client() as client:
        while time.monotonic() < deadline:
            mails = (await client.get("/dev/mailbox.json")).json()
            found = [mail for mail in mails if mail["to"] == address]
            if len(found) >= count:
                latest: dict[str, Any] = found[-1]
                return latest
            await asyncio.sleep(0.05)
    raise AssertionError(f"no mail came to {address}")
