"""Owns an issuer to be verified against: keys, tokens and a revocation feed behind a real port, and every way to fail.

It speaks HTTP by hand, because half of its purpose is to do that badly.
"""

import asyncio
import json
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ostiary.kernel.world import World
from ostiary.protocols import revocations
from ostiary.protocols.jose import jwk, jwt
from ostiary.protocols.jose.keys import SigningKey
from ostiary.protocols.revocations import Entry, Page, session_mark, subject_mark

AUDIENCE = "https://api.example.com"
PAGE_SIZE = 100


@dataclass(frozen=True)
class Answer:
    """An answer to a request.

    Attributes:
        raw: The whole answer as bytes, instead of everything else; then the connection is closed.
        hangs: Nothing more is sent after the head, or after `raw`, and the connection stays open.
        slowly: Seconds between two bytes of the body.
    """

    status: int = 200
    body: bytes = b""
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    raw: bytes | None = None
    hangs: bool = False
    slowly: float = 0.0


Handler = Callable[[dict[str, list[str]]], Coroutine[Any, Any, Answer]]


@dataclass
class Issuer:
    """One issuer. Every attribute may be changed while it serves.

    Attributes:
        signs: Signs tokens and, unless told, pages.
        published: The keys of its set.
        pages_by: Signs the feed's pages.
        name: What it calls itself; its own address unless told.
        keys_answer: Answers for keys with this instead.
        feed_answer: Answers for the feed with this instead.
        ahead: How many seconds its clock is ahead of ours.
        waits: Whether it holds polls open.
        tls: Makes it speak TLS.
    """

    signs: SigningKey = field(default_factory=lambda: SigningKey.generate(World(), kid="one"))
    published: list[SigningKey] = field(default_factory=list)
    pages_by: SigningKey | None = None
    name: str = ""
    keys_answer: Answer | None = None
    feed_answer: Answer | None = None
    ahead: float = 0.0
    port: int = 0
    key_fetches: int = 0
    polls: list[dict[str, list[str]]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    loop: asyncio.AbstractEventLoop | None = None
    waits: bool = True
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self.published = self.published or [self.signs]
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[Any]] = set()

    @property
    def url(self) -> str:
        """Where it is, which is also its name."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def now(self) -> int:
        """Its own unix seconds."""
        return int(datetime.now(UTC).timestamp() + self.ahead)

    def token(self, key: SigningKey | None = None, **claims: Any) -> str:
        """An access token; claims may be changed, and left out by None."""
        now = self.now()
        full = {
            "iss": self.name or self.url, "aud": AUDIENCE, "sub": "account-1", "client_id": "app", "jti": "one",
            "iat": now, "exp": now + 900, "sid": "session-1", "scope": "notes:read", "roles": ["editor"], "ver": 1,
        } | claims  # fmt: skip
        return jwt.write(key or self.signs, {k: v for k, v in full.items() if v is not None}, "at+jwt")

    # What it tells.

    def end_session(self, session_id: str = "session-1") -> None:
        """End a session."""
        self.tell(Entry("session", session_mark(session_id), self.now() + 900))

    def retire(self, kid: str) -> None:
        """Retire a key in the feed."""
        self.tell(Entry("key", kid, self.now() + 900))

    def outdate(self, subject: str = "account-1", version: int = 2) -> None:
        """Make a subject's older tokens stale."""
        self.tell(Entry("subject", subject_mark(subject), self.now() + 900, version))

    def tell(self, *entries: Entry) -> None:
        """Put entries into the feed, from any thread."""
        self.entries += entries
        if self.loop is not None:
            self.loop.call_soon_threadsafe(self.news.set)

    # How it serves.

    async def up(self) -> None:
        """Listen, on the same port as before if there was one."""
        self.loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Stop listening, and break every connection."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            for task in (tasks := list(self._open)):
                task.cancel()
            await asyncio.gather(*tasks)
            await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._exchange(reader, writer):
                pass
        self._open.discard(task)
        writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        target = urlsplit(head.split(" ", 2)[1])
        answer = await self._answer(target.path, parse_qs(target.query))
        if answer.raw is not None:
            writer.write(answer.raw)
            await writer.drain()
            if answer.hangs:
                await reader.read()
            return False
        lines = [
            f"HTTP/1.1 {answer.status} x", f"Content-Type: {answer.kind}", f"Content-Length: {len(answer.body)}",
            *(f"{name}: {value}" for name, value in answer.headers),
        ]  # fmt: skip
        writer.write("\r\n".join([*lines, "", ""]).encode())
        if answer.hangs:
            await reader.read()
            return False
        if answer.slowly:
            for at in range(len(answer.body)):
                writer.write(answer.body[at : at + 1])
                await writer.drain()
                await asyncio.sleep(answer.slowly)
        else:
            writer.write(answer.body)
        await writer.drain()
        return True

    async def _answer(self, path: str, query: dict[str, list[str]]) -> Answer:
        if path == "/oauth2/jwks":
            self.key_fetches += 1
            return self.keys_answer or Answer(
                body=jwk.write_set(key.verifying for key in self.published), kind="application/jwk-set+json"
            )
        if path == "/auth/revocations":
            self.polls.append(query)
            return self.feed_answer or await self._page(query)
        return Answer(404, b"{}")

    async def _page(self, query: dict[str, list[str]]) -> Answer:
        after = query.get("after", ["0"])[0]
        if not after.isdigit() or int(after) > len(self.entries):
            return Answer(400, b"{}")
        begin, wait = int(after), int(query["wait"][0])
        if begin == len(self.entries) and wait and self.waits:
            self.news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self.news.wait()
        # One entry again, as a server does that cannot know what was read.
        chosen = tuple(self.entries[max(0, begin - 1) : begin + PAGE_SIZE])
        reached = min(begin + PAGE_SIZE, len(self.entries))
        page = Page(chosen, str(reached), more=reached < len(self.entries))
        return Answer(body=self.page(page).encode(), kind=revocations.MEDIA_TYPE)

    def page(self, page: Page) -> str:
        """A signed page, by this issuer's clock."""
        moment = datetime.fromtimestamp(self.now(), UTC)
        return revocations.write_page(self.pages_by or self.signs, self.name or self.url, page, moment)


@asynccontextmanager
async def serving(issuer: Issuer | None = None) -> AsyncIterator[Issuer]:
    """An issuer that listens in this event loop."""
    issuer = issuer or Issuer()
    await issuer.up()
    try:
        yield issuer
    finally:
        await issuer.down()


@contextmanager
def serving_in_a_thread(issuer: Issuer | None = None) -> Iterator[Issuer]:
    """An issuer that listens in an event loop of its own, for programs that have none."""
    issuer = issuer or Issuer()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(issuer.up(), loop).result(10)
    try:
        yield issuer
    finally:
        asyncio.run_coroutine_threadsafe(issuer.down(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def raw(status: str, *headers: str, body: bytes = b"") -> bytes:
    """An answer written by hand."""
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode() + body


def as_set(*members: dict[str, Any]) -> bytes:
    """A key set written by hand."""
    return json.dumps({"keys": members}).encode()
