"""Owns the few lines of statistics with which two sets of timings are compared."""

import math
import random
from bisect import bisect_right
from collections.abc import Sequence
from statistics import median

_DRAWS = 2000
# Smirnov's coefficient for a chance of one in a thousand.
_RARE = 1.949


def median_difference(one: Sequence[float], other: Sequence[float], seed: int = 7) -> tuple[float, float]:
    """The 99 % bootstrap interval of the median of the paired differences."""
    chance = random.Random(seed)
    differences = [a - b for a, b in zip(one, other, strict=True)]
    drawn = sorted(median(chance.choices(differences, k=len(differences))) for _ in range(_DRAWS))
    return drawn[_DRAWS // 200], drawn[-_DRAWS // 200 - 1]


def largest_gap(one: Sequence[float], other: Sequence[float]) -> float:
    """The Kolmogorov–Smirnov statistic: the largest distance between the two distributions, 0 to 1."""
    first, second = sorted(one), sorted(other)
    return max(
        abs(bisect_right(first, at) / len(first) - bisect_right(second, at) / len(second))
        for at in (*first, *second)
    )


def chance_gap(count: int, other: int) -> float:
    """The gap that two samples of one distribution exceed once in a thousand times."""
    return _RARE * math.sqrt((count + other) / (count * other))
