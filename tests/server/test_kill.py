"""kill -9 while people sign up and in: what was acknowledged is there after the restart, whole, and mailed."""

import asyncio
import itertools
import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx2
import psycopg
import pytest
from aiosmtpd.smtp import SMTP, Envelope

from ostiary.storage.connect import sqlite_path
from tests.core.mail.servers import MailServer
from tests.server.conftest import arrived, token_of
from tests.support.ports import free_port
from tests.support.server import Server, serving

PASSWORD = "quiet harbour seventeen lanterns"
NEWCOMERS, RESIDENTS = 16, 3
# What exists in parts: an account without password, a claim that no mail can redeem, a row that points to nothing.
HALVES = {
    "account without password": "SELECT id FROM account WHERE id NOT IN (SELECT account_id FROM password)",
    "account without address": "SELECT id FROM account WHERE id NOT IN (SELECT account_id FROM identifier)",
    "address without account": "SELECT normal FROM identifier WHERE account_id NOT IN (SELECT id FROM account)",
    "password without account": "SELECT account_id FROM password WHERE account_id NOT IN (SELECT id FROM account)",
    "session without account": "SELECT id FROM session WHERE account_id NOT IN (SELECT id FROM account)",
    "proven account still a claim": (
        "SELECT normal FROM address_claim WHERE normal IN (SELECT normal FROM identifier)"
    ),
    "claim without link or code": (
        "SELECT id FROM address_claim WHERE 2 <> (SELECT count(*) FROM once WHERE subject = address_claim.id)"
    ),
    "account without journal": (
        "SELECT id FROM account WHERE id NOT IN (SELECT account_id FROM journal WHERE account_id IS NOT NULL)"
    ),
}


@dataclass
class Acknowledged:
    """What clients were told, all rounds together.

    Attributes:
        tried: Addresses whose registration was begun.
        registered: Addresses that were answered 202 and wait for their proof.
        residents: Addresses that are proven.
        sessions: Session cookies that were handed out.
    """

    tried: list[str] = field(default_factory=list)
    registered: list[str] = field(default_factory=list)
    residents: list[str] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)


class Deployment:
    """One database, one port, one mail server; the server process comes and goes.

    Args:
        folder: For its files.
        database: URL.
        sink: Takes the mails.
    """

    def __init__(self, folder: Path, database: str, sink: MailServer) -> None:
        self.folder, self.database, self.sink = folder, database, sink
        self._port = free_port()
        self.told = Acknowledged()

    @asynccontextmanager
    async def up(self) -> AsyncIterator[Server]:
        """A server process on it."""
        arguments = ("--dev", "--data", str(self.folder / "data"), "--database", self.database)
        async with serving(
            self.folder,
            *arguments,
            port=self._port,
            smtp_host="127.0.0.1",
            smtp_port=self.sink.port,
            smtp_security="none",
            mail_from="no-reply@example.test",
            outbox_lease="2s",
            outbox_timeout="1s",
            outbox_poll="100ms",
            sessions_per_account=10_000,
            rate_limit_allow="127.0.0.0/8",
        ) as server:
            yield server

    async def rounds(self, count: int, chance: Random) -> None:
        """Let people sign up and in, kill the server in the midst of it, start it again, look at everything; repeat."""
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(self.up())
            await self._settle_first(server)
            for number in range(count):
                await self._crowd(server, number, chance)
                server = await stack.enter_async_context(self.up())
                await self._judge(server)
                self._judge_rows()
            assert await server.stop() == 0

    async def _settle_first(self, server: Server) -> None:
        async with server.client() as client:
            for address in ("first@example.com", "second@example.com"):
                self.told.tried.append(address)
                await client.post("/auth/register", json={"email": address, "password": PASSWORD})
                self.told.registered.append(address)
        await self._judge(server)

    async def _crowd(self, server: Server, number: int, chance: Random) -> None:
        names = (f"r{number}-{count}@example.com" for count in itertools.count())
        before = len(self.told.sessions)
        crowd = [self._sign_ups(server, names) for _ in range(NEWCOMERS)]
        crowd += [self._sign_ins(server, chance) for _ in range(RESIDENTS)]
        tasks = [asyncio.create_task(visitor) for visitor in crowd]
        # Not before something was acknowledged, so that every round has something to lose.
        for _ in range(20_000):
            if self.told.registered and len(self.told.sessions) > before:
                break
            await asyncio.sleep(0.002)
        if number % 2:
            await asyncio.sleep(chance.uniform(0, 0.4))
        else:
            # Hashing is most of a sign-up. Whoever has hashed queues up here, so that the kill falls among changes.
            with self._writers_waiting():
                await asyncio.sleep(0.7)
            await asyncio.sleep(chance.uniform(0, 0.05))
        await server.kill()
        await asyncio.gather(*tasks)
        assert self.told.registered
        assert len(self.told.sessions) > before

    @contextmanager
    def _writers_waiting(self) -> Iterator[None]:
        """Hold the lock that every registration needs."""
        path = sqlite_path(self.database)
        if path is None:
            with psycopg.connect(self.database) as remote:
                remote.execute("LOCK TABLE address_claim IN SHARE ROW EXCLUSIVE MODE")
                yield
            return
        local = sqlite3.connect(path, isolation_level=None)
        try:
            local.execute("BEGIN IMMEDIATE")
            yield
            local.execute("ROLLBACK")
        finally:
            local.close()

    async def _sign_ups(self, server: Server, names: Iterator[str]) -> None:
        async def once(client: httpx2.AsyncClient) -> None:
            address = next(names)
            self.told.tried.append(address)
            answer = await client.post("/auth/register", json={"email": address, "password": PASSWORD})
            assert answer.status_code == 202, answer.text
            self.told.registered.append(address)

        await _until_dead(server, once)

    async def _sign_ins(self, server: Server, chance: Random) -> None:
        async def once(client: httpx2.AsyncClient) -> None:
            credentials = {"identifier": chance.choice(self.told.residents), "password": PASSWORD}
            answer = await client.post("/auth/login", json=credentials)
            assert answer.status_code == 200, answer.text
            self.told.sessions.append(answer.cookies["ostiary"])
            client.cookies.clear()

        await _until_dead(server, once)

    async def _judge(self, server: Server) -> None:
        """Everything that was acknowledged works: sessions, mails, links, passwords."""
        told = self.told
        async with server.client() as client:
            for token in told.sessions:
                answer = await client.get("/auth/session", headers={"cookie": f"ostiary={token}"})
                assert answer.status_code == 200, "an acknowledged session is lost"
            for address in told.registered:
                mail = (await arrived(self.sink, address))[0]
                answer = await client.post("/auth/email/verify", json={"token": token_of(mail)})
                assert answer.status_code == 200, f"{address}: the mailed link does not work: {answer.text}"
            # One sign-in of a few: each costs a real password hash.
            for address in (told.registered[0], told.registered[-1]):
                credentials = {"identifier": address, "password": PASSWORD}
                assert (await client.post("/auth/login", json=credentials)).status_code == 200
                client.cookies.clear()
        told.residents += told.registered
        told.registered.clear()

    def _judge_rows(self) -> None:
        found = {what: self._rows(query) for what, query in HALVES.items()}
        assert {what: rows for what, rows in found.items() if rows} == {}
        assert {(address,) for address in self.told.residents} <= set(
            self._rows("SELECT normal FROM identifier")
        )
        # A sign-up that the kill left unanswered is there whole, or not at all.
        everybody = "SELECT normal FROM identifier UNION SELECT normal FROM address_claim"
        known = {str(normal) for (normal,) in self._rows(everybody)}
        assert known <= set(self.told.tried)
        if sqlite_path(self.database) is not None:
            assert self._rows("PRAGMA integrity_check") == [("ok",)]
            assert self._rows("PRAGMA foreign_key_check") == []
        repeated: dict[str, set[str]] = defaultdict(set)
        for mail in self.sink.accepted:
            repeated[mail["To"]].add(mail["Message-ID"])
        # Each address registered once, so whatever came twice is the same mail.
        assert {to: ids for to, ids in repeated.items() if len(ids) > 1} == {}
        assert set(repeated) <= known, "a mail without its account or claim"

    def _rows(self, query: str) -> list[tuple[object, ...]]:
        path = sqlite_path(self.database)
        if path is None:
            with psycopg.connect(self.database) as remote:
                return remote.execute(query.encode()).fetchall()
        local = sqlite3.connect(path)
        try:
            return local.execute(query).fetchall()
        finally:
            local.close()


async def _until_dead(server: Server, once: Callable[[httpx2.AsyncClient], Awaitable[None]]) -> None:
    async with server.client() as client:
        while True:
            try:
                await once(client)
            except httpx2.TransportError:
                return


@dataclass
class SlowMailServer(MailServer):
    """Takes its time before it takes a mail, and before it says so."""

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:  # noqa: N802
        """Answer the end of the message."""
        await asyncio.sleep(0.15)
        answer = await super().handle_DATA(server, session, envelope)
        await asyncio.sleep(0.06)
        return answer


@pytest.fixture
async def slow_sink() -> AsyncIterator[MailServer]:
    """A mail server with which a kill always falls among deliveries."""
    made = SlowMailServer()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: SMTP(made, hostname="mail.test"), "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    yield made
    listening.close()
    await asyncio.sleep(0.02)


async def test_kill_loses_nothing_that_was_acknowledged(
    database_url: str, tmp_path: Path, slow_sink: MailServer
) -> None:
    """One round: accounts, sessions and mails that somebody was told of survive, none is half-made or unmailed."""
    await Deployment(tmp_path, database_url, slow_sink).rounds(1, Random())


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_many_kills_lose_nothing_that_was_acknowledged(
    database_url: str, tmp_path: Path, slow_sink: MailServer
) -> None:
    """The same over thirty kills at random moments on one growing database."""
    await Deployment(tmp_path, database_url, slow_sink).rounds(30, Random())
