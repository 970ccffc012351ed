"""Owns the hashing pool: threads of its own, so that hashing slows down nothing but other hashing.

Why not the loop's default executor: its queue has no end, and a burst of sign-ins would hold up everything else that
uses it. Here the queue is bounded (a full one answers 503 at once) and the threads yield the processor to the event
loop by their niceness. They start with the first hash, since threads do not survive a `fork`: a process that forks
before its first hash is safe, and one that forks later must build a new engine in the child.
"""

import asyncio
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, Final, TypeVar

from ostiary.kernel.errors import Unavailable

T = TypeVar("T")

LONGEST_WAIT: Final = timedelta(seconds=2)
_FEWEST_WAITING: Final = 4
_MOST_WAITING: Final = 64


def default_workers() -> int:
    """How many threads are worth starting: one per processor but one, at least one.

    With a hash on every processor the event loop waits for its turn behind hashing, niceness or not, and waits as well
    whenever a thread that yields to the rest of the machine holds the interpreter's lock at that moment.
    """
    return max(1, (os.cpu_count() or 1) - 1)


def queue_size(workers: int, expected: timedelta) -> int:
    """How many hashes may wait: what the workers get done in about two seconds, 4 to 64 each.

    Args:
        workers: How many threads.
        expected: What one hash roughly takes.
    """
    each = int(LONGEST_WAIT / max(expected, timedelta(milliseconds=1)))
    return workers * min(max(each, _FEWEST_WAITING), _MOST_WAITING)


def _yield_to_others(niceness: int) -> None:
    """Lower the priority of this thread, where the system has priorities for threads."""
    # Only Linux takes a thread's id here; elsewhere the number could name a stranger's process.
    if sys.platform != "linux" or not niceness:
        return
    me = threading.get_native_id()
    try:
        os.setpriority(os.PRIO_PROCESS, me, max(niceness, os.getpriority(os.PRIO_PROCESS, me)))
    except OSError:  # a sandbox may forbid it; hashing works all the same
        return


class HashingPool:
    """Runs slow functions in its own threads.

    Args:
        workers: How many threads; one per processor but one unless given.
        queue: How many calls may wait beside those that run.
        niceness: By how much the threads yield to the rest of the machine, 0 to 19; Linux only.
    """

    def __init__(self, workers: int | None = None, queue: int = 32, niceness: int = 5) -> None:
        self.workers = workers or default_workers()
        self.queue = queue
        self._niceness = niceness
        self.accepted = 0
        """How many calls were taken in since the start, for metrics."""
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._idle = 0
        self._threads: list[threading.Thread] = []
        self._closed = False

    async def run(self, fn: Callable[..., T], *args: Any) -> T:
        """Call a function in the pool and wait for its answer without holding up the event loop.

        A cancelled caller gives its place in the queue back; a call that already runs ends unheard.

        Raises:
            Unavailable: the queue is full, or the pool is closed.
        """
        return await asyncio.wrap_future(self._submit(lambda: fn(*args)))

    def open(self) -> None:
        """Take calls again after `close`; threads are made by the first one."""
        with self._changed:
            if self._closed:
                self._closed = False
                self._threads = []
                self._idle = 0

    def close(self) -> None:
        """Refuse what waits and end the threads after the calls that run; a second time does nothing."""
        with self._changed:
            self._closed = True
            dropped, self._waiting = self._waiting, deque()
            self._changed.notify_all()
        for future, _ in dropped:
            if future.set_running_or_notify_cancel():
                future.set_exception(Unavailable("hashing pool is closed"))

    def _submit(self, call: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        with self._changed:
            if self._closed:
                raise Unavailable("hashing pool is closed")
            if not self._threads:
                self._start()
            if len(self._waiting) >= self.queue + self._idle:
                raise Unavailable("hashing pool is full", retry_after=LONGEST_WAIT)
            self._waiting.append((future, call))
            self.accepted += 1
            self._changed.notify()
        future.add_done_callback(self._forget)
        return future

    def _start(self) -> None:
        for number in range(self.workers):
            thread = threading.Thread(target=self._work, name=f"ostiary-hashing-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)
            self._idle += 1

    def _forget(self, future: Future[Any]) -> None:
        """Take a cancelled call out of the queue, so that callers who went away keep nobody else out."""
        if not future.cancelled():
            return
        with self._changed:
            self._waiting = deque(item for item in self._waiting if item[0] is not future)

    def _work(self) -> None:
        _yield_to_others(self._niceness)
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                future, call = self._waiting.popleft()
                self._idle -= 1
            self._run(future, call)
            # The thread holds on to nothing of the last call (a password's bytes) while it waits for the next.
            del future, call
            with self._changed:
                self._idle += 1

    @staticmethod
    def _run(future: Future[Any], call: Callable[[], Any]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            answer = call()
        except BaseException as error:  # noqa: BLE001 — it belongs to the caller; the thread must live on
            future.set_exception(error)
        else:
            future.set_result(answer)
