"""Owns a clock on which a test lets time pass, so that knowledge grows old."""

import asyncio
import time
from datetime import UTC, datetime, timedelta


class Hands:
    """The machine's clock; the steady one is ahead by as much as a test says, and who sleeps notices.

    The clock on the wall stays, so that it goes on agreeing with the issuer's.
    """

    def __init__(self) -> None:
        self._passed = timedelta()

    def turn(self, by: timedelta) -> None:
        """Let so much time pass at once."""
        self._passed += by

    def now(self) -> datetime:
        """The moment on the wall."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Steady seconds."""
        return time.monotonic() + self._passed.total_seconds()

    async def sleep(self, duration: timedelta) -> None:
        """Sleep until the steady clock says so, and look at it often."""
        end = self.monotonic() + duration.total_seconds()
        while (rest := end - self.monotonic()) > 0:  # noqa: ASYNC110 - a turned clock wakes nobody by itself
            await asyncio.sleep(min(rest, 0.01))
