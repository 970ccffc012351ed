"""Owns the portal: one background event loop in which the engine of a synchronous host lives, and the way into it.

The loop runs in a thread of its own, begun by the first call. No engine crosses a `fork`: before one, the engine is
stopped, so that the child inherits no connection, no lock and no thread of it. Afterwards the parent begins again at
once, and the child with its first call. Why not anyio's portal: docs/decisions/0025-synchronous-hosts.md.
"""

import asyncio
import atexit
import concurrent.futures.thread  # noqa: F401 - registers its own end, which must come after ours; see below
import contextlib
import logging
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future, InvalidStateError, wait
from datetime import timedelta
from typing import Any, Final, TypeVar

from ostiary.integrations.host import Ostiary
from ostiary.kernel.errors import Misuse, Unavailable

T = TypeVar("T")

PATIENCE: Final = timedelta(seconds=60)
_CALLS_END: Final = timedelta(seconds=5)
_log: Final = logging.getLogger("ostiary.portal")


class _Life:
    """One life of the engine: a thread with its loop, from start to stop.

    Args:
        auth: Whose engine.
    """

    def __init__(self, auth: Ostiary) -> None:
        self._auth = auth
        self._process = os.getpid()
        self.born: Future[asyncio.AbstractEventLoop] = Future()
        self._ending: asyncio.Event
        self._thread = threading.Thread(target=self._run, name="ostiary-portal", daemon=True)
        self._thread.start()

    @property
    def is_ours(self) -> bool:
        """Whether this process began it, and not the one from which it was forked."""
        return self._process == os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether the caller is in the loop's own thread."""
        return threading.current_thread() is self._thread

    @property
    def has_failed(self) -> bool:
        """Whether the engine could not start: the next call tries again."""
        return self.born.done() and self.born.exception() is not None

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException as error:  # noqa: BLE001 - told to every caller that waits for the start, or to the log
            if self.born.done():
                _log.exception("ostiary did not stop in order")
            else:
                self.born.set_exception(error)

    async def _live(self) -> None:
        self._ending = asyncio.Event()
        await self._auth.start()
        self.born.set_result(asyncio.get_running_loop())
        await self._ending.wait()
        await self._auth.stop()

    def end(self) -> None:
        """Stop the engine and wait for it: deliveries under way are finished."""
        wait([self.born])
        if self.born.exception() is None:
            self.born.result().call_soon_threadsafe(self._ending.set)
        self._thread.join()


class Portal:
    """Runs async functions of an engine for threads that have no event loop.

    Args:
        auth: Whose engine. It starts with the first call, in whichever thread that is made.
        patience: How long a call may take unless it says otherwise.
    """

    def __init__(self, auth: Ostiary, patience: timedelta = PATIENCE) -> None:
        self.auth: Final = auth
        self.patience: Final = patience
        self._changed = threading.Condition()
        self._life: _Life | None = None
        self._under_way = 0
        self._is_held = False  # while the engine is being stopped
        self._is_over = False  # the process ends
        self._forking: int | None = None  # the thread that forks and holds the portal meanwhile
        self._goes_on = False  # the engine ran before the fork
        _all.add(self)

    def call(
        self, function: Callable[..., Coroutine[Any, Any, T]], *args: Any, timeout: timedelta | None = None
    ) -> T:
        """Run an async function in the engine's loop and return its answer; what it raises comes out unchanged.

        A caller that gives up (by the time limit, or by an exception such as KeyboardInterrupt) cancels it.

        Args:
            function: The function.
            args: Its arguments.
            timeout: How long it may take, if not as long as the portal's patience.

        Raises:
            Misuse: called from within the engine's own loop, or in a process forked from a running engine's.
            Unavailable: there was no answer in time, or the engine was stopped.
        """
        future: Future[T] = Future()
        limit = (timeout or self.patience).total_seconds()
        try:
            self._schedule(future, function, args)
            try:
                return future.result(limit)
            except CancelledError as error:
                raise Unavailable("ostiary was stopped while a call was under way") from error
            except TimeoutError:
                if future.done():
                    return future.result()  # the function's own, or its answer in the last moment
                raise Unavailable(f"a call of ostiary did not end within {limit:g} s") from None
        finally:
            future.cancel()  # whoever leaves before the end calls it off; otherwise this does nothing

    def begin(self, function: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> "Future[T]":
        """As `call`, but do not wait: cancelling the future cancels the function.

        Raises:
            Exception: what the engine's start raised.
        """
        future: Future[T] = Future()
        self._schedule(future, function, args)
        return future

    def _schedule(
        self, future: "Future[T]", function: Callable[..., Coroutine[Any, Any, T]], args: tuple[Any, ...]
    ) -> None:
        life = self._enter()
        future.add_done_callback(lambda _: self._leave())
        try:
            loop = life.born.result(self.patience.total_seconds())
            try:
                _schedule(loop, future, function, args)
            except RuntimeError as error:  # the loop has closed
                raise Unavailable("ostiary is stopping") from error
        except BaseException as error:
            future.cancel()  # it may be under way already when a signal interrupts its caller here
            if isinstance(error, TimeoutError) and not life.born.done():
                raise Unavailable("ostiary has not started in time") from error
            raise

    def start(self) -> None:
        """Start the engine now instead of with the first call.

        Raises:
            Exception: as the engine's start.
        """
        self.call(self.auth.start)

    def wake(self) -> None:
        """Begin to start the engine, unless it runs; what fails is heard by the next call."""
        if self._life is None:
            with contextlib.suppress(Misuse, Unavailable):
                self._enter()
                self._leave()

    def close(self) -> None:
        """Stop the engine once the calls under way have ended, or after five seconds; the next call starts it again."""
        life = self._hold()
        try:
            if life is not None and life.is_ours and not life.is_here:
                life.end()
                self._life = None
                _running.discard(self)
        finally:
            self._release()

    def _enter(self) -> _Life:
        with self._changed:
            life = self._life
            if life is not None and life.is_here:
                raise Misuse("a synchronous call of ostiary from its own event loop would wait for itself")
            self._changed.wait_for(lambda: not self._is_held)
            if self._is_over:
                raise Unavailable("ostiary has stopped: the process ends")
            if self._life is None or self._life.has_failed:
                self._life = _Life(self.auth)
                _running.add(self)
            if not self._life.is_ours:
                raise Misuse(
                    "ostiary ran in the process from which this one was forked, and could not be stopped for the "
                    "fork; fork before the first request, or let the server fork without loading the application"
                )
            self._under_way += 1
            return self._life

    def _leave(self) -> None:
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()

    def _hold(self) -> _Life | None:
        """Let no further call in, and wait for those under way."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_held)
            self._is_held = True
            life = self._life
            if life is not None and life.is_ours and not life.is_here:
                self._changed.wait_for(lambda: not self._under_way, _CALLS_END.total_seconds())
            return life

    def _release(self) -> None:
        with self._changed:
            self._is_held = False
            self._changed.notify_all()

    # ── around a fork, and at the end of the process ──

    def before_fork(self) -> None:
        """Stop the engine; not if a call does not end, since it must not be cut: then the child is told (`_enter`)."""
        life = self._life
        if life is not None and life.is_here:
            return  # it cannot wait for its own end
        life = self._hold()
        self._forking = threading.get_ident()
        if life is not None and life.is_ours and not self._under_way:
            life.end()
            self._life = None
            self._goes_on = True

    def after_fork(self) -> None:
        """Go on in the parent: its mails want to be sent also if no call comes."""
        if self._forking == threading.get_ident():
            if self._goes_on:
                self._life = _Life(self.auth)
            self._forking, self._goes_on = None, False
            self._release()

    def begin_in_child(self) -> None:
        """Begin in the child, where nobody else is left who could hold the lock."""
        self._changed = threading.Condition()
        self._forking = None
        self._goes_on = self._is_held = False
        self._under_way = 0

    def end(self) -> None:
        """Stop for good: the process ends."""
        self._is_over = True
        self.close()


def _schedule(
    loop: asyncio.AbstractEventLoop,
    future: "Future[T]",
    function: Callable[..., Coroutine[Any, Any, T]],
    args: tuple[Any, ...],
) -> None:
    """As `asyncio.run_coroutine_threadsafe`, which makes other exceptions of some and coroutines that may never run."""

    def begin() -> None:
        if future.cancelled():
            return
        task = loop.create_task(function(*args))
        task.add_done_callback(tell)
        future.add_done_callback(
            lambda _: loop.call_soon_threadsafe(task.cancel) if not task.done() else None
        )

    def tell(task: "asyncio.Task[T]") -> None:
        with contextlib.suppress(InvalidStateError):  # the caller has given up
            if task.cancelled():
                future.cancel()
            elif (error := task.exception()) is not None:
                future.set_exception(error)
            else:
                future.set_result(task.result())

    loop.call_soon_threadsafe(begin)


_all: Final[weakref.WeakSet[Portal]] = weakref.WeakSet()
_running: Final[set[Portal]] = (
    set()
)  # kept, so that they are stopped in order although nobody else keeps them


def _before_fork() -> None:
    for portal in list(_all):
        portal.before_fork()


def _after_fork_in_parent() -> None:
    for portal in list(_all):
        portal.after_fork()


def _after_fork_in_child() -> None:
    for portal in list(_all):
        portal.begin_in_child()


def _end_all() -> None:
    for portal in list(_all):
        portal.end()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
)
# What `atexit` calls comes too late: by then no executor takes a call any more, and a mail under way needs one for its
# name look-up. The executors' own end is registered here, too, and these run in reverse order. Also when a process of
# `multiprocessing` ends, which calls nothing of `atexit`.
_register: Final[Callable[[Callable[[], None]], object]] = getattr(
    threading, "_register_atexit", atexit.register
)
_register(_end_all)
