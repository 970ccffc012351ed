"""Owns the search for Argon2id costs that take about as long as an operator wants to spend per sign-in."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from ostiary.core.passwords.schemes import DIGEST_BYTES, SALT_BYTES, Argon2id
from ostiary.kernel.world import World

FLOOR: Final = Argon2id(19456, 2, 1)
_ROUNDS: Final = 3
_MOST_TIME: Final = 16
_STEP_KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class CalibrationResult:
    """What to set.

    Attributes:
        scheme: Argon2id with the suggested costs, never below the floor.
        took: What one hash took with them.
        within_target: False when even the floor takes longer than asked for.
    """

    scheme: Argon2id
    took: timedelta
    within_target: bool

    @property
    def settings(self) -> dict[str, int]:
        """The suggestion by names of settings."""
        return {
            "argon2_memory_kib": self.scheme.m,
            "argon2_time": self.scheme.t,
            "argon2_parallelism": self.scheme.p,
        }


def calibrate(
    target: timedelta,
    world: World,
    *,
    max_memory_kib: int = 262_144,
    measure: Callable[[Argon2id], timedelta] | None = None,
) -> CalibrationResult:
    """Find the dearest Argon2id costs whose hash takes no longer than `target`.

    Memory is worth more than passes against special hardware (RFC 9106 section 4), so memory grows first, up to
    `max_memory_kib` for each hash at work, then the passes.

    Args:
        target: What one hash may take.
        world: Its monotonic clock measures, its chance gives the salt.
        max_memory_kib: Most memory for one hash, in KiB.
        measure: Another way to time one hash.
    """
    timed = measure or (lambda scheme: _time(scheme, world))
    best, took = FLOOR, timed(FLOOR)
    if took > target:
        return CalibrationResult(best, took, within_target=False)
    while best.m < max_memory_kib:
        grown = Argon2id(min(_grown(best.m), max_memory_kib), best.t, best.p)
        if (grown_took := timed(grown)) > target:
            break
        best, took = grown, grown_took
    while best.t < _MOST_TIME:
        grown = Argon2id(best.m, best.t + 1, best.p)
        if (grown_took := timed(grown)) > target:
            break
        best, took = grown, grown_took
    return CalibrationResult(best, took, within_target=True)


def _grown(memory: int) -> int:
    """A quarter more, in whole MiB."""
    return (memory + memory // 4) // _STEP_KIB * _STEP_KIB


def _time(scheme: Argon2id, world: World) -> timedelta:
    """The median of three hashes."""
    salt = world.bytes(SALT_BYTES)
    took: list[float] = []
    for _ in range(_ROUNDS):
        begun = world.monotonic()
        scheme.derive(b"calibration", salt, DIGEST_BYTES)
        took.append(world.monotonic() - begun)
    return timedelta(seconds=sorted(took)[_ROUNDS // 2])
