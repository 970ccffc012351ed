"""Owns the clock that a test can turn."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Final

_LONGEST_SLEEP: Final = timedelta(milliseconds=10)


class TurnedClock:
    """The machine's clock, ahead by as much as a test has turned it; nobody sleeps longer than 10 ms.

    Hand it to the `World`: ``World(clock=TurnedClock())``.
    """

    def __init__(self) -> None:
        self._ahead = timedelta()

    def turn(self, by: timedelta) -> None:
        """Let so much time pass at once; a negative duration turns it back."""
        self._ahead += by

    def now(self) -> datetime:
        """The turned moment, aware, in UTC."""
        return datetime.now(UTC) + self._ahead

    def monotonic(self) -> float:
        """Real seconds: measuring is not turned."""
        return time.monotonic()

    async def sleep(self, duration: timedelta) -> None:
        """Sleep, but only for a moment; whoever sleeps in a loop looks at the turned clock soon."""
        await asyncio.sleep(min(duration, _LONGEST_SLEEP).total_seconds())
