"""Owns real processes of the notes examples, and people who use its API."""

import asyncio
import re
import shutil
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from ostiary.testing.kit import PASSWORD
from tests.support.ports import free_port
from tests.support.server import PATIENCE, Server, launch
from tests.support.tree import ROOT

CSRF = "ostiary-csrf"
FASTAPI = (
    sys.executable, "-W", "error", "-m", "uvicorn", "examples.fastapi_notes.app:app", "--app-dir", str(ROOT),
    "--log-level", "debug",
)  # fmt: skip


def launch_notes(folder: Path, name: str = "notes", program: Sequence[str] = FASTAPI) -> Server:
    """Start an example on a free port with its data in a folder; several may share one."""
    port, env = free_port(), shutil.which("env")
    assert env is not None
    surroundings = [f"NOTES_DATA={folder / 'data'}", f"NOTES_URL=http://127.0.0.1:{port}"]
    whole = [env, *surroundings, *program]
    return launch((), folder / f"{name}.log", port=port, settings={}, program=whole)


@asynccontextmanager
async def serving_notes(
    folder: Path, name: str = "notes", program: Sequence[str] = FASTAPI
) -> AsyncIterator[Server]:
    """An example, answering; stopped at the end."""
    server = launch_notes(folder, name, program)
    try:
        await answers(server)
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
        await server.ended()


async def answers(server: Server) -> None:
    """Wait until the welcome page comes."""
    deadline = time.monotonic() + PATIENCE
    async with server.client() as client:
        while time.monotonic() < deadline:
            assert server.process.poll() is None, server.said
            try:
                if (await client.get("/")).status_code == 200:
                    return
            except httpx2.TransportError:
                await asyncio.sleep(0.05)
    raise AssertionError(server.said)


async def verification_token(servers: list[Server], address: str) -> str:
    """The token from the mail, whichever of the servers has sent it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for server in servers:
            async with server.client() as client:
                for mail in (await client.get("/dev/mailbox.json")).json():
                    found = re.search(r"[?&]token=([\w-]+)", mail["text"])
                    if mail["to"] == address and found:
                        return found[1]
        await asyncio.sleep(0.05)
    raise AssertionError(f"no mail came to {address}")


@asynccontextmanager
async def signed_in(server: Server, address: str, *others: Server) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody new, signed in, whose client sends the CSRF token like the page's script."""
    async with server.client() as client:
        body = {"email": address, "password": PASSWORD}
        assert (await client.post("/auth/register", json=body)).status_code == 202
        token = await verification_token([server, *others], address)
        assert (await client.post("/auth/email/verify", json={"token": token})).status_code == 200
        answer = await client.post("/auth/login", json={"identifier": address, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        client.headers["x-csrf-token"] = client.cookies[CSRF]
        yield client
