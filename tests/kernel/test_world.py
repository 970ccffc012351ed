"""The World: time as it is stored, ids in order, codes without a favourite, tokens nobody guesses."""

import base64
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.kernel.world import ID_LENGTH, World, from_micros, span_micros, to_micros
from ostiary.testing import TurnedClock


class Dealt:
    """Chance that deals given bytes, then zeros, and remembers how much was drawn."""

    def __init__(self, *hands: bytes) -> None:
        self._hands = list(hands)
        self.drawn: list[int] = []

    def bytes(self, count: int) -> bytes:
        """The next hand."""
        self.drawn.append(count)
        return (self._hands.pop(0) if self._hands else b"").rjust(count, b"\0")


class Seeded:
    """Chance that is the same in every run."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def bytes(self, count: int) -> bytes:
        """The next bytes of the sequence."""
        return self._random.randbytes(count)


moments = st.datetimes(
    datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.timezones() | st.just(UTC)
)  # fmt: skip


@given(moments)
def test_moments_round_trip(moment: datetime) -> None:
    """A stored moment is the same instant to the microsecond, whatever its time zone was."""
    assert from_micros(to_micros(moment)) == moment.astimezone(UTC)


@given(st.timedeltas(timedelta(), timedelta(days=100_000)))
def test_spans_are_exact(duration: timedelta) -> None:
    """Durations are stored to the microsecond."""
    assert timedelta(microseconds=span_micros(duration)) == duration


def test_ids_are_unique_and_in_order() -> None:
    """Ten thousand ids differ; those of a later millisecond sort behind, as text."""
    clock = TurnedClock()
    world = World(clock)
    batches = []
    for _ in range(100):
        batches.append([world.id() for _ in range(100)])
        clock.turn(timedelta(milliseconds=2 + len(batches)))
    every = [one for batch in batches for one in batch]
    assert len(set(every)) == len(every)
    assert {len(one) for one in every} == {ID_LENGTH}
    assert all(max(before) < min(after) for before, after in pairwise(batches))
    assert set("".join(every)) <= set("0123456789abcdefghjkmnpqrstvwxyz")


def test_an_id_holds_eighty_bits_of_chance() -> None:
    """Ids of the same instant differ by chance alone, and all of it is used."""
    dealt = Dealt(b"\xff" * 10, b"\0" * 10)
    world = World(chance=dealt)
    assert world.id()[10:] == "z" * 16
    assert world.id()[10:] == "0" * 16
    assert dealt.drawn == [10, 10]


def test_codes_have_no_favourite() -> None:
    """Every six-digit code is equally likely: values where a modulo would favour small ones are drawn again."""
    space = 10**6
    ceiling = 256**8 - 256**8 % space
    dealt = Dealt((256**8 - 1).to_bytes(8), ceiling.to_bytes(8), (ceiling - 1).to_bytes(8))
    assert World(chance=dealt).digits().reveal() == "999999"
    assert dealt.drawn == [8, 8, 8]
    assert World(chance=Dealt((42).to_bytes(8))).digits().reveal() == "000042", "zeros in front are kept"


def test_digits_are_uniform() -> None:
    """Every value of a short code comes equally often (chi-square, on chance that is the same in every run)."""
    world = World(chance=Seeded(7))
    counts = Counter(world.digits(2).reveal() for _ in range(50_000))
    assert len(counts) == 100
    chi_square = sum((count - 500) ** 2 / 500 for count in counts.values())
    assert chi_square < 148.2, "the 99.9 % bound for 99 degrees of freedom"


@pytest.mark.slow
def test_real_codes_are_uniform() -> None:
    """With the real generator the first and the last digit of codes are uniform (99.9999 % bound)."""
    world = World()
    codes = [world.digits().reveal() for _ in range(100_000)]
    for place in (0, 5):
        counts = Counter(code[place] for code in codes)
        assert sum((count - 10_000) ** 2 / 10_000 for count in counts.values()) < 45.1
    assert {len(code) for code in codes} == {6}


def test_tokens_are_chance_and_nothing_else() -> None:
    """A token is 256 bits from the generator as unpadded base64url; no two are the same."""
    dealt = Dealt(bytes(range(32)))
    assert (
        World(chance=dealt).token().reveal()
        == base64.urlsafe_b64encode(bytes(range(32))).rstrip(b"=").decode()
    )
    assert dealt.drawn == [32]
    world = World()
    tokens = {world.token().reveal() for _ in range(2000)}
    assert len(tokens) == 2000
    assert {len(token) for token in tokens} == {43}
    assert len(world.token(16).reveal()) == 22
