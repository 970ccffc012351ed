"""Owns the only clock and the only source of chance; the linter bans every other one.

A test hands the engine another `Clock`; everything else in the program stays as it is.
"""

import asyncio
import base64
import os
import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from ostiary.kernel.secret import Secret

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# Crockford's alphabet in lower case: no i, l, o, u, so an id read aloud survives.
_ID_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_ID_PAIRS: Final = tuple(first + second for first in _ID_ALPHABET for second in _ID_ALPHABET)
ID_LENGTH: Final = 26


def to_micros(moment: datetime) -> int:
    """UTC microseconds since 1970, the form in which every moment is stored."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC moment behind a stored value."""
    return _EPOCH + timedelta(microseconds=micros)


def span_micros(duration: timedelta) -> int:
    """A duration in whole microseconds."""
    return duration // _MICROSECOND


def first_id(moment: datetime) -> str:
    """The least identifier that `World.id` can give at a moment; every one of before is less."""
    return _written((to_micros(moment) // 1000) << 80)


def _written(number: int) -> str:
    return "".join([_ID_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back, for measuring how long something took."""
        ...

    async def sleep(self, duration: timedelta) -> None:
        """Wait without holding anything but this task."""
        ...


class Chance(Protocol):
    """Where unpredictable bytes come from."""

    def bytes(self, count: int) -> bytes:
        """That many bytes from a cryptographic generator."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(duration.total_seconds())


class SystemChance:
    """The kernel's generator (getrandom)."""

    def bytes(self, count: int) -> bytes:
        return os.urandom(count)


class World:
    """Clock, chance and ids in one object that is passed to whoever needs them."""

    def __init__(self, clock: Clock | None = None, chance: Chance | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self.chance: Chance = chance or SystemChance()

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return self.clock.now()

    def micros(self) -> int:
        """The present moment as stored: UTC microseconds since 1970."""
        return to_micros(self.clock.now())

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        return self.clock.monotonic()

    async def sleep(self, duration: timedelta) -> None:
        """Wait without holding a thread, a connection or a transaction."""
        await self.clock.sleep(duration)

    def bytes(self, count: int) -> bytes:
        """That many unpredictable bytes."""
        return self.chance.bytes(count)

    def token(self, strength: int = 32) -> Secret:
        """A fresh secret of `strength` bytes (256 bits unless told) as unpadded base64url text."""
        return Secret(base64.urlsafe_b64encode(self.chance.bytes(strength)).rstrip(b"="))

    def digits(self, count: int = 6) -> Secret:
        """A code of decimal digits, each value equally likely."""
        space: int = 10**count
        # Rejection sampling: a plain modulo would favour small codes.
        ceiling = 256**8 - 256**8 % space
        while (drawn := int.from_bytes(self.chance.bytes(8))) >= ceiling:
            continue
        return Secret(f"{drawn % space:0{count}d}")

    def id(self) -> str:
        """A new identifier: 26 characters, ordered by creation time, 80 bits of chance (ULID layout)."""
        millis = to_micros(self.clock.now()) // 1000
        return _written((millis << 80) | int.from_bytes(self.chance.bytes(10)))
