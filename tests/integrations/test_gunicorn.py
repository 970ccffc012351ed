"""gunicorn with several workers: whether it loads the application before it forks or after, with a worker killed, and
to the orderly end with a mail under way."""

import asyncio
import os
import shutil
import signal
import sqlite3
import ssl
import time
from pathlib import Path

import httpx2
import psycopg

from ostiary.storage.connect import sqlite_path
from ostiary.testing.kit import PASSWORD
from tests.core.mail.servers import MailServer, Temper, serve
from tests.server.conftest import arrived, token_of
from tests.support.gunicorn import gunicorn
from tests.support.ports import free_port
from tests.support.server import PATIENCE, Server, launch

FLASK = "tests.integrations.workers:app"
WAITING = "SELECT count(*) FROM outbox"


def started(folder: Path, database: str, sink: MailServer, *options: str) -> Server:
    """The application under gunicorn, in development but with a real mail server; not waited for."""
    port, env = free_port(), shutil.which("env")
    assert env is not None
    settings = {
        "dev": True, "database": database, "data": folder, "base_url": f"http://127.0.0.1:{port}",
        "smtp_host": "127.0.0.1", "smtp_port": sink.port, "smtp_security": "none",
        "mail_from": "no-reply@notes.example.test",
    }  # fmt: skip
    program = (env, *(("STARTS_EARLY=1",) if "--preload" in options else ()), *gunicorn(FLASK, *options))
    return launch((), folder / "gunicorn.log", port=port, settings=settings, program=program)


async def answering(server: Server, cookies: httpx2.Cookies, count: int, gone: int = 0) -> set[int]:
    """The processes that know whose cookies these are, once there are so many."""
    found: set[int] = set()
    deadline = time.monotonic() + PATIENCE
    while len(found) < count:
        assert time.monotonic() < deadline, (found, server.said)
        async with server.client(cookies=cookies) as client:  # on a connection of its own
            try:
                answer = await client.get("/who")
            except httpx2.TransportError:
                continue  # it was on its way to the one that was killed
            assert (answer.status_code, answer.json()["email"]) == (200, "p0@example.com")
            found.add(answer.json()["process"])
    assert gone not in found
    return found


def waiting(database: str) -> int:
    """How many mails are left in the outbox."""
    path = sqlite_path(database)
    if path is None:
        with psycopg.connect(database) as connection:
            row = connection.execute(WAITING).fetchone()
    else:
        row = sqlite3.connect(path).execute(WAITING).fetchone()
    assert row is not None
    return int(row[0])


async def test_workers_are_one_site(database_url: str, tmp_path: Path) -> None:
    """A sign-in through one worker is known to all, also to the one that takes a killed one's place; every mail is sent
    once; at the end the mail under way is delivered and nothing is left. On SQLite, where a fork could harm most, the
    application is loaded before, and the engine even runs in the master while it forks."""
    options = ("--preload",) if sqlite_path(database_url) is not None else ()
    async with serve(Temper(), "none", ssl.create_default_context()) as sink:
        server = started(tmp_path, database_url, sink, "--workers", "2", "--threads", "4", *options)
        try:
            await server.ready("/")
            await _lives(server, sink)
            await _ends(server, sink)
        finally:
            if server.process.poll() is None:
                server.process.kill()
            await server.ended()
        assert await asyncio.to_thread(waiting, database_url) == 0
        sent = [mail["To"] for mail in sink.accepted]
        assert sorted(sent) == [*(f"p{number}@example.com" for number in range(3)), "q@example.com"]
    assert "Traceback" not in server.said, server.said
    assert "Warning" not in server.said, server.said


async def _register(client: httpx2.AsyncClient, address: str) -> None:
    answer = await client.post("/auth/register", json={"email": address, "password": PASSWORD})
    assert answer.status_code == 202, answer.text


async def _lives(server: Server, sink: MailServer) -> None:
    async with server.client() as one:
        addresses = [f"p{number}@example.com" for number in range(3)]
        await asyncio.gather(*(_register(one, address) for address in addresses))
        mails = [(await arrived(sink, address))[0] for address in addresses]
        assert (await one.post("/auth/email/verify", json={"token": token_of(mails[0])})).status_code == 200
        body = {"identifier": addresses[0], "password": PASSWORD}
        assert (await one.post("/auth/login", json=body)).status_code == 200
        workers = await answering(server, one.cookies, 2)
        killed = workers.pop()
        os.kill(killed, signal.SIGKILL)
        assert len(await answering(server, one.cookies, 2, gone=killed) - workers) == 1
        proof = {"x-csrf-token": one.cookies["ostiary-csrf"]}
        assert (await one.post("/auth/logout", headers=proof)).status_code == 204
        for _ in range(4):
            async with server.client(cookies=one.cookies) as other:
                assert (await other.get("/who")).status_code == 401


async def _ends(server: Server, sink: MailServer) -> None:
    held = sink.temper.hold = asyncio.Event()
    async with server.client() as client:
        await _register(client, "q@example.com")
    deadline = time.monotonic() + PATIENCE
    while not sink.holding:
        assert time.monotonic() < deadline, server.said
        await asyncio.sleep(0.02)
    server.signal(signal.SIGTERM)
    while "Handling signal: term" not in server.said:
        assert time.monotonic() < deadline, server.said
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)  # for the workers to hear of it; whoever drops the mail has done so by then
    held.set()
    assert await server.ended() == 0, server.said
