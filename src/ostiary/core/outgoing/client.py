"""Owns `Outgoing` and `Client`: sending one request to another server, within bounds, and taking its answer."""

import asyncio
import logging
import re
import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from httpcore2 import (
    URL,
    AsyncHTTPConnection,
    ConnectError,
    ConnectTimeout,
    NetworkError,
    Origin,
    ProtocolError,
    Request,
)

from ostiary.core.outgoing.answer import Answer, Garbled, read_answer
from ostiary.core.outgoing.failure import Failure, NoAnswer, OutgoingFailed
from ostiary.core.outgoing.names import Resolve, SystemNames
from ostiary.core.outgoing.network import Meter, Pinned, TooLarge
from ostiary.core.outgoing.reach import Address, Reach
from ostiary.core.outgoing.target import Target, judge, read_target
from ostiary.kernel.errors import Misuse
from ostiary.kernel.secret import Secret
from ostiary.storage import guard

_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_NAME: Final = re.compile(r"[0-9A-Za-z-]+", re.ASCII)
_VALUE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?", re.ASCII)
# How a message is framed, coded and addressed is this module's business.
_OURS: Final = frozenset({
    "accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "te", "trailer",
    "transfer-encoding", "upgrade", "user-agent",
})  # fmt: skip


_calling: Final[ContextVar[bool]] = ContextVar("ostiary_calling_out", default=False)


def _is_not_ours(_: logging.LogRecord) -> bool:
    return not _calling.get()


# At level DEBUG httpcore2 logs the headers of answers, where codes and cookies are. The log of a host application's own
# calls stays as it is.
for _name in ("httpcore2.connection", "httpcore2.http11"):
    logging.getLogger(_name).addFilter(_is_not_ours)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one purpose may cost.

    Attributes:
        time: For everything together: waiting for a place, resolving, connecting, sending and reading.
        size: Most bytes of an answer's body, as sent and decoded.
        head: Most bytes of an answer's headers.
        at_once: Most calls under way; others wait, and their time runs.
    """

    time: timedelta = timedelta(seconds=10)
    size: int = 1_048_576
    head: int = 16_384
    at_once: int = 16


class Outgoing:
    """Where every call to another server starts.

    Args:
        reach: What may be called.
        resolve: How names become addresses; unless given, as this machine does it.
        tls: Whom to trust; unless given, whom this machine trusts.
    """

    def __init__(
        self, reach: Reach, *, resolve: Resolve | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.reach = reach
        self._names = SystemNames()
        self._clients: list[Client] = []
        self._resolve = resolve or self._names
        self._tls = tls

    def client(self, limits: Limits) -> "Client":
        """A client of its own for one purpose, so that one purpose cannot use up another's places."""
        client = Client(self, limits)
        self._clients.append(client)
        return client

    def check(self, url: str) -> None:
        """Refuse a URL that would never be called; its name is not resolved.

        Raises:
            OutOfReach: it would not.
        """
        read_target(url, self.reach)

    def tls(self) -> ssl.SSLContext:
        """Whom to trust; read from the machine at the first call, which takes some milliseconds."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        return self._tls

    async def addresses(self, target: Target) -> tuple[Address, ...]:
        """Every address of a target, all of them judged.

        Raises:
            OutOfReach: one of them may not be called. Who sends good and bad ones means the bad ones.
            NoAnswer: there are none.
        """
        if target.address is not None:
            return (target.address,)  # judged when it was read
        try:
            found = await self._resolve(target.host)
        except OSError:
            found = ()
        if not found:
            raise NoAnswer(Failure.UNRESOLVED, "the name has no address", target.host)
        for address in found:
            judge(target, address, self.reach)
        return found

    def close(self) -> None:
        """Give threads back; calls may still follow, in another event loop, too."""
        self._names.close()
        for client in self._clients:
            client.reopen()


class Client:
    """Sends requests for one purpose. Made by `Outgoing.client`.

    Every request has a connection of its own, to an address that was judged for it. Nothing is followed, kept or
    tried again.
    """

    def __init__(self, outgoing: Outgoing, limits: Limits) -> None:
        self._outgoing = outgoing
        self._limits = limits
        self.reopen()

    def reopen(self) -> None:
        """Make the places anew: those that were waited for belong to one event loop."""
        self._places = asyncio.Semaphore(self._limits.at_once)

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str | Secret] | None = None,
        content: bytes = b"",
    ) -> Answer:
        """Send one request and read its answer, whatever its status.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            url: Absolute and https. It may be secret: no error repeats more of it than the host.
            headers: Further ones; a value that is secret comes as `Secret`.
            content: The body.

        Raises:
            OutOfReach: the URL is none that may be called, or leads to an address that may not.
            NoAnswer: nobody answered properly, in time and within the limits.
            Misuse: a transaction is open, or method or headers are none.
        """
        guard.refuse_if_open("calling another server")
        if method not in _METHODS:
            raise Misuse("calling another server: the method is none of " + ", ".join(sorted(_METHODS)))
        target = read_target(url, self._outgoing.reach)
        request = Request(
            method,
            URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path),
            headers=_headers(target, method, headers or {}, content),
            content=content,
        )
        late = Failure.BUSY
        try:
            async with asyncio.timeout(self._limits.time.total_seconds()):
                async with self._places:
                    late = Failure.TIMEOUT
                    return await self._exchange(target, request)
        except TimeoutError:
            raise NoAnswer(
                late, f"nothing within {self._limits.time.total_seconds():g} s", target.host
            ) from None

    async def _exchange(self, target: Target, request: Request) -> Answer:
        limits = self._limits
        addresses = await self._outgoing.addresses(target)
        meter = Meter(limits.head, limits.size)
        network = Pinned(addresses, limits.time, meter)
        connection = AsyncHTTPConnection(
            Origin(request.url.scheme, request.url.host, target.port),
            ssl_context=self._outgoing.tls() if target.scheme == "https" else None,
            network_backend=network,
        )
        token = _calling.set(True)
        try:
            response = await connection.handle_async_request(request)
            meter.head_is_over()
            return await read_answer(response, limits.head, limits.size)
        except (TooLarge, Garbled, NetworkError, ConnectTimeout, ProtocolError, OSError) as error:
            # Not chained: messages from below quote what was sent and what came.
            raise _told(error, target) from None
        finally:
            await network.close()
            _calling.reset(token)


def _told(error: Exception, target: Target) -> OutgoingFailed:
    if isinstance(error, TooLarge):
        return NoAnswer(Failure.TOO_LARGE, "the answer is larger than may be", target.host)
    if isinstance(error, ConnectError) and isinstance(error.__cause__, ssl.SSLError):
        why = getattr(error.__cause__, "verify_message", "") or "no TLS can be agreed on"
        return NoAnswer(Failure.TLS, why, target.host)
    if isinstance(error, (ConnectError, ConnectTimeout)):
        return NoAnswer(Failure.UNREACHABLE, "nobody takes the connection", target.host)
    return NoAnswer(Failure.GARBLED, "the answer breaks off or cannot be read", target.host)


def _headers(
    target: Target, method: str, given: Mapping[str, str | Secret], content: bytes
) -> list[tuple[bytes, bytes]]:
    """All headers of a request.

    Raises:
        Misuse: one of the given ones cannot be sent; its value is not repeated.
    """
    sent = {
        "host": target.authority,
        "user-agent": "ostiary",
        "accept-encoding": "gzip",
        "connection": "close",
    }
    if content or method in ("POST", "PUT", "PATCH"):
        sent["content-length"] = str(len(content))
    for name, value in given.items():
        text = value.reveal() if isinstance(value, Secret) else value
        lower = name.lower()
        if not _NAME.fullmatch(name) or lower in _OURS or lower in sent:
            raise Misuse(f"calling another server: the header {name!r} cannot be set")
        if not _VALUE.fullmatch(text):
            raise Misuse(f"calling another server: the value of the header {name!r} is not visible ASCII")
        sent[lower] = text
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in sent.items()]
