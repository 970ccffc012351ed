"""Owns which tokens are in force, and that at most one refresh is under way, in whatever tasks and threads.

Whoever finds that a refresh is needed and none is under way begins one, its *flight*; everybody else waits for it. A
flight is never given up half-way because the request that began it was: the issuer may have exchanged the tokens
already, and its answer is the only copy of the new ones.
"""

import asyncio
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from ostiary.client.tokens import SessionOver, Tokens
from ostiary.kernel.errors import Unavailable
from ostiary.kernel.secret import Secret
from ostiary.kernel.world import World

PATIENCE: Final = timedelta(seconds=30)


def _under_way() -> "Future[Tokens]":
    outcome: Future[Tokens] = Future()
    outcome.set_running_or_notify_cancel()  # so nobody who waits for it can cancel it
    return outcome


@dataclass(frozen=True, slots=True)
class Flight:
    """A refresh that is under way.

    Attributes:
        presented: The tokens to be replaced.
        received: New tokens that an earlier flight brought and could not save: they only need saving.
        outcome: Set when it is over.
    """

    presented: Tokens
    received: Tokens | None
    outcome: "Future[Tokens]" = field(default_factory=_under_way)


@dataclass(frozen=True, slots=True)
class Boarding:
    """What somebody who needs tokens does.

    Attributes:
        tokens: The pair in force.
        flight: To wait for, if a refresh is needed.
        must_fly: Nobody else flies it.
    """

    tokens: Tokens
    flight: Flight | None = None
    must_fly: bool = False


class Pair:
    """The tokens of one user.

    Args:
        tokens: The first pair.
        ahead: How long before its end an access token is replaced.
        world: The clock.
    """

    def __init__(self, tokens: Tokens, ahead: timedelta, world: World) -> None:
        self._ahead = ahead
        self._world = world
        self._lock = threading.Lock()
        self._tokens = tokens
        self._received: Tokens | None = None
        self._flight: Flight | None = None
        self._over: str | None = None
        self._rests_until: datetime | None = None

    @property
    def tokens(self) -> Tokens:
        """The pair in force."""
        return self._tokens

    def board(self, refused: Secret | None = None) -> Boarding:
        """What to do before a request, or when its token was refused.

        Args:
            refused: The access token that a service refused as expired or stale.

        Raises:
            SessionOver: the issuer has said so.
            Unavailable: a refresh failed a moment ago, and the tokens in force are of no use.
        """
        with self._lock:
            if self._over is not None:
                raise SessionOver(self._over)
            now = self._world.now()
            if not self._is_due(now) and self._is_useful(now, refused):
                return Boarding(self._tokens)
            if self._flight is not None:
                return Boarding(self._tokens, self._flight)
            if self._rests_until is not None and now < self._rests_until:
                if self._is_useful(now, refused):
                    return Boarding(self._tokens)
                raise Unavailable("refreshing failed a moment ago", self._rests_until - now)
            self._flight = Flight(self._tokens, self._received)
            return Boarding(self._tokens, self._flight, must_fly=True)

    def _is_due(self, now: datetime) -> bool:
        ends = self._tokens.expires_at
        return ends is not None and ends - self._ahead <= now

    def _is_useful(self, now: datetime, refused: Secret | None) -> bool:
        ends = self._tokens.expires_at
        is_over = ends is not None and ends <= now
        return not is_over and not (refused is not None and self._tokens.access_token.matches(refused))

    def received(self, tokens: Tokens) -> None:
        """The flight has brought new tokens; they are not in force before they are saved."""
        with self._lock:
            self._received = tokens

    def landed(self, flight: Flight, tokens: Tokens) -> None:
        """The new tokens are saved: they are in force."""
        with self._lock:
            self._tokens, self._received = tokens, None
            self._flight = self._rests_until = None
        flight.outcome.set_result(tokens)

    def crashed(self, flight: Flight, error: Exception) -> None:
        """The flight has failed; whoever waits for it gets the error."""
        with self._lock:
            self._flight = None
            if isinstance(error, SessionOver):
                self._over = error.told
            elif isinstance(error, Unavailable):
                self._rests_until = self._world.now() + error.retry_after
        flight.outcome.set_exception(error)

    def wait(self, flight: Flight, refused: Secret | None) -> Tokens:
        """Wait for a flight, in a thread.

        Raises:
            Exception: with which it failed, unless the tokens in force will do.
        """
        try:
            return flight.outcome.result(PATIENCE.total_seconds())
        except TookTooLong:
            return self._despite(Unavailable("refreshing takes too long"), refused)
        except Unavailable as failed:
            return self._despite(failed, refused)

    async def wait_async(self, flight: Flight, refused: Secret | None) -> Tokens:
        """Wait for a flight, in a task.

        Raises:
            Exception: with which it failed, unless the tokens in force will do.
        """
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                return await asyncio.shield(asyncio.wrap_future(flight.outcome))
        except TimeoutError:
            return self._despite(Unavailable("refreshing takes too long"), refused)
        except Unavailable as failed:
            return self._despite(failed, refused)

    def _despite(self, failed: Unavailable, refused: Secret | None) -> Tokens:
        with self._lock:
            if self._is_useful(self._world.now(), refused):
                return self._tokens
        raise failed
