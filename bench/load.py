"""Owns the load: a keep-alive HTTP/1.1 client on bare sockets, in a process of its own, so that what it costs is not
counted as the server's.
"""

import asyncio
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import uvloop

ROOT: Final = Path(__file__).parent.parent
_PATIENCE: Final = 30.0
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Job:
    """One load.

    Attributes:
        port: On the loopback address.
        headers: Beside Host and Content-Length.
        bodies: Each connection has one of them for its own; ``{n}`` becomes a number that is never used twice.
        connections: Each sends its next request when the answer to the last one is there.
        seconds: How long.
        rate: Requests per second of all connections together; 0 is as fast as the answers come. A request that was
            due while its connection still waited counts from the moment it was due.
        expected: The status of every answer.
        first: Where ``{n}`` starts.
    """

    port: int
    path: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    bodies: Sequence[str] = ()
    connections: int = 8
    seconds: float = 1.0
    rate: float = 0.0
    expected: int = 200
    first: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job.

    Attributes:
        requests: How many were answered.
        seconds: How long it took.
        p50: Half of the answers came within so many milliseconds.
        p99: All but one in a hundred did.
        busy: How much of one core the client itself used.
    """

    requests: int
    seconds: float
    p50: float
    p99: float
    busy: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


class Wrong(RuntimeError):
    """The server answered something else than the job expects: a figure about that would be worthless."""


class Load:
    """A job that runs in a process of its own.

    Args:
        job: What is asked.
    """

    def __init__(self, job: Job) -> None:
        self._patience = job.seconds + 2 * _PATIENCE
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.load", json.dumps(asdict(job))],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip

    def finish(self) -> Outcome:
        """Wait for the end and say what came of it.

        Raises:
            Wrong: some answer was not as expected, or there was none.
        """
        try:
            said, _ = self._process.communicate(timeout=self._patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise Wrong("the client did not come to an end") from None
        answer: dict[str, Any] = json.loads(said or b'{"wrong": "the client broke down"}')
        if "wrong" in answer:
            raise Wrong(answer["wrong"])
        return Outcome(**answer)


def ask(job: Job) -> Outcome:
    """Begin a job and wait for its end."""
    return Load(job).finish()


class _Run:
    """A job while it runs."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.latencies: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.sample = b""
        self.deadline = 0.0
        self._number = job.first
        lines = [f"{job.method} {job.path} HTTP/1.1", f"Host: 127.0.0.1:{job.port}"]
        lines += [f"{name}: {value}" for name, value in job.headers.items()]
        self._head = "\r\n".join(lines).encode()

    def _with(self, body: str) -> bytes:
        raw = body.encode()
        return self._head + b"\r\nContent-Length: %d\r\n\r\n" % len(raw) + raw

    def next_request(self, connection: int) -> bytes:
        bodies = self.job.bodies
        if not bodies:
            return self._head + b"\r\n\r\n"
        self._number += 1
        return self._with(bodies[connection % len(bodies)].replace("{n}", str(self._number)))


class _Connection(asyncio.Protocol):
    def __init__(self, run: _Run, done: "asyncio.Future[None]", number: int) -> None:
        self._run = run
        self._done = done
        self._number = number
        self._loop = asyncio.get_running_loop()
        self._apart = run.job.connections / run.job.rate if run.job.rate else 0.0
        self._due = time.perf_counter() + number / run.job.connections * self._apart
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._pace()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error or ConnectionResetError("the server hung up"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, blank, body = self._buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        length = _LENGTH.search(head)
        if len(body) < (int(length[1]) if length else 0):
            return
        run = self._run
        run.latencies.append((time.perf_counter() - self._sent) * 1000)
        status = int(head[9:12])
        run.statuses[status] += 1
        if status != run.job.expected:
            run.sample = self._buffer
        self._buffer = b""
        self._pace()

    def _pace(self) -> None:
        now = time.perf_counter()
        if now >= self._run.deadline:
            assert self._transport is not None
            self._done.set_result(None)
            self._transport.close()
        elif not self._apart:
            self._send(now)
        else:
            due, self._due = self._due, self._due + self._apart
            if due <= now:
                self._send(due)
            else:
                self._loop.call_later(due - now, lambda: self._send(time.perf_counter()))

    def _send(self, since: float) -> None:
        assert self._transport is not None
        if self._transport.is_closing():
            return
        self._sent = since
        self._transport.write(self._run.next_request(self._number))


async def _work(job: Job) -> dict[str, object]:
    run = _Run(job)
    loop = asyncio.get_running_loop()
    before, started = time.process_time(), time.perf_counter()
    run.deadline = started + job.seconds
    done: list[asyncio.Future[None]] = [loop.create_future() for _ in range(job.connections)]
    for at, future in enumerate(done):
        connect = partial(_Connection, run, future, at)
        await loop.create_connection(connect, "127.0.0.1", job.port)
    async with asyncio.timeout(job.seconds + _PATIENCE):
        await asyncio.gather(*done)
    took = time.perf_counter() - started
    if set(run.statuses) != {job.expected}:
        sample = run.sample[:2000].decode(errors="replace")
        return {"wrong": f"{job.method} {job.path}: {dict(run.statuses)}, expected {job.expected}\n{sample}"}
    busy = (time.process_time() - before) / took
    ordered = sorted(run.latencies)
    return {
        "requests": len(ordered), "seconds": took, "p50": ordered[len(ordered) // 2],
        "p99": ordered[len(ordered) * 99 // 100], "busy": busy,
    }  # fmt: skip


def main() -> None:
    """Do the job that the command line holds."""
    try:
        answer = uvloop.run(_work(Job(**json.loads(sys.argv[1]))))
    except OSError as error:
        answer = {"wrong": repr(error)}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
