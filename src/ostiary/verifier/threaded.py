"""Owns `SyncVerifier`, for programs with threads: the same verifier, following its issuer in a thread of its own."""

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from ostiary.kernel.errors import Unavailable
from ostiary.kernel.world import World
from ostiary.protocols.access_token import AccessToken
from ostiary.protocols.jose.refusals import TokenRefused, Why
from ostiary.verifier.follower import State
from ostiary.verifier.verifier import Verifier

T = TypeVar("T")

_PATIENCE: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class _Home:
    """Where the issuer is followed: the process, its thread, and the loop that runs there."""

    pid: int
    thread: threading.Thread
    loop: asyncio.AbstractEventLoop


class SyncVerifier:
    """Checks access tokens of one issuer for one audience, from any thread.

    A good token is judged in the thread that asks. The thread that follows the issuer starts with the first use, and
    again after a fork.

    Args:
        issuer: See `Verifier`, as for all others.
        audience: Must be in the tokens' `aud`.
        leeway: How far clocks may be apart.
        tolerated_staleness: How long tokens are accepted while the issuer cannot be followed.
        keys_url: Where the issuer's keys are, if elsewhere.
        feed_url: Where its feed is, if elsewhere.
        remembered: How many good tokens are kept for being seen again.
        world: Clock and chance.

    Raises:
        Misuse: an address is not https, or a duration is out of bounds.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        leeway: timedelta = timedelta(seconds=30),
        tolerated_staleness: timedelta = timedelta(minutes=5),
        keys_url: str | None = None,
        feed_url: str | None = None,
        remembered: int = 10_000,
        world: World | None = None,
    ) -> None:
        self._verifier = Verifier(
            issuer,
            audience,
            leeway=leeway,
            tolerated_staleness=tolerated_staleness,
            keys_url=keys_url,
            feed_url=feed_url,
            remembered=remembered,
            world=world,
        )
        self._lock = threading.Lock()
        self._home: _Home | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Begin to follow the issuer, and wait until it was asked once. It need not be there yet."""
        self._there(self._verifier.start())

    def close(self) -> None:
        """Stop following, and end the thread. Verifying would start it again."""
        with self._lock:
            home, self._home = self._home, None
            if home is None or home.pid != os.getpid():
                return
            asyncio.run_coroutine_threadsafe(self._verifier.close(), home.loop).result(
                _PATIENCE.total_seconds()
            )
            home.loop.call_soon_threadsafe(home.loop.stop)
            home.thread.join()

    @property
    def state(self) -> State:
        """How well the issuer is known, for a health check or a metric."""
        return self._verifier.state

    def verify(self, token: str) -> AccessToken:
        """Judge an access token; see `Verifier.verify`.

        Raises:
            TokenRefused: answer 401 with its `code`.
            Unavailable: answer 503.
        """
        home = self._home
        if home is None or home.pid != os.getpid():  # knowledge that nobody renews would count for minutes
            self.start()
        try:
            return self._verifier.judge(token)
        except TokenRefused as refused:
            if refused.why is not Why.KEY_UNKNOWN:
                raise
        except Unavailable:
            pass
        return self._there(self._verifier.verify(token))

    def require_fresh(
        self, token: AccessToken, minutes: float | None = None, *, acr: str | None = None
    ) -> None:
        """Demand more than a good token; see `Verifier.require_fresh`.

        Raises:
            TokenRefused: answer 401 with its `challenge`.
            Misuse: nothing is asked for, or no such thing.
        """
        self._verifier.require_fresh(token, minutes, acr=acr)

    def _there(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something where the issuer is followed."""
        done = asyncio.run_coroutine_threadsafe(work, self._loop())
        try:
            return done.result(_PATIENCE.total_seconds())
        except TookTooLong:
            done.cancel()
            raise Unavailable("the issuer does not answer") from None

    def _loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._home is None or self._home.pid != os.getpid():
                loop = asyncio.new_event_loop()
                thread = threading.Thread(target=_run, args=(loop,), name="ostiary verifier", daemon=True)
                self._home = _Home(os.getpid(), thread, loop)
                thread.start()
            return self._home.loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()
