"""Settings: words become values once, every mistake is listed at once, and no value is ever repeated."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.kernel.errors import Misuse
from ostiary.kernel.secret import Secret
from ostiary.kernel.settings import Rate, Settings, coerce, format_duration, parse_duration, setting

MILLISECOND = timedelta(milliseconds=1)
durations = st.integers(0, 10**12).map(lambda count: count * MILLISECOND)


@dataclass(frozen=True, slots=True)
class Door:
    """A group with one setting of each kind."""

    wide: bool = setting(False, doc="Wide?")
    steps: int = setting(3, doc="How many steps.")
    ratio: float = setting(1.5, doc="A ratio.")
    name: str = setting("front", doc="Its name.")
    key: Secret | None = setting(None, doc="Its key.")
    open_for: timedelta = setting(timedelta(minutes=5), doc="How long it stays open.")
    knocks: Rate = setting(Rate(5, timedelta(minutes=15)), doc="How often one may knock.")
    plan: Path | None = setting(None, doc="Its plan.")
    side: Literal["left", "right"] = setting("left", doc="Where its hinges are.")
    guests: tuple[str, ...] = setting((), doc="Who may come.")

    def __post_init__(self) -> None:
        if self.steps > 100:
            raise ValueError("steps: must be 100 at most")


@dataclass(frozen=True, slots=True)
class Owner:
    """A group with a setting that has no default."""

    owner: str = setting(doc="Who answers the door.")


def door(**given: object) -> Door:
    """The group with these values."""
    return Settings([Door], given).of(Door)


def test_words_become_values() -> None:
    """What an environment can say is read as the declared type."""
    made = door(
        wide="Yes", steps=" 12 ", ratio="0.25", name="back", open_for="1d12h", knocks="30/h", plan="/a/b",
        side="right", guests="anna, ben ,", key="s3cret",
    )  # fmt: skip
    assert (made.wide, made.steps, made.ratio, made.name, made.side) == (True, 12, 0.25, "back", "right")
    assert made.open_for == timedelta(days=1, hours=12)
    assert made.knocks == Rate(30, timedelta(hours=1))
    assert made.plan == Path("/a/b")
    assert made.guests == ("anna", "ben")
    assert made.key is not None
    assert made.key.matches("s3cret")
    assert "s3cret" not in repr(made)


def test_values_stay_values() -> None:
    """What a program gives is taken as it is."""
    values: dict[str, Any] = {
        "wide": True, "steps": 7, "ratio": 2, "open_for": timedelta(seconds=1), "knocks": Rate(1, MILLISECOND),
        "plan": Path("x"), "guests": ["anna"], "key": None,
    }  # fmt: skip
    made = door(**values)
    assert (made.wide, made.steps, made.ratio, made.guests, made.key) == (True, 7, 2.0, ("anna",), None)
    assert door() == Door()


@pytest.mark.parametrize("name", ["wide", "steps", "ratio", "open_for", "knocks", "side", "plan", "guests"])
@pytest.mark.parametrize(
    "value", ["hunter2-in-the-wrong-place", object(), "٣", "1_0", "nan", "9" * 50, "9" * 5000]
)
def test_a_value_that_does_not_fit(name: str, value: object) -> None:
    """It is `Misuse` that names the setting and what is expected; the value is not repeated, it may be a secret."""
    if name in {"plan", "guests"} and isinstance(value, str):
        return assert_taken(name, value)
    with pytest.raises(Misuse, match=f"settings: {name}: ") as caught:
        door(**{name: value})
    assert str(value) not in str(caught.value)
    assert len(str(caught.value)) < 150
    return None


def assert_taken(name: str, value: object) -> None:
    """For those of these words that are a path or a list after all."""
    assert getattr(door(**{name: value}), name)


def test_all_mistakes_are_listed_at_once() -> None:
    """One start shows everything that is wrong, in order, whatever group it belongs to."""
    with pytest.raises(Misuse) as caught:
        Settings(
            [Door, Owner], {"steps": "many", "side": "top", "knocks": "often", "windows": 4, "key": "x1x2"}
        )
    assert str(caught.value) == (
        "settings: "
        'knocks: a rate is written "5/15m" or "30/h"; '
        "owner: must be given (Who answers the door.); "
        "side: expected one of left, right; "
        "steps: expected a whole number; "
        "windows: there is no such setting"
    )
    with pytest.raises(Misuse, match=r"owner: must be given.*; steps: must be 100 at most"):
        Settings([Door, Owner], {"steps": 101})


def test_a_name_belongs_to_one_group() -> None:
    """Two groups cannot declare the same flat name."""
    with pytest.raises(Misuse, match="'wide' is declared by two groups"):
        Settings([Door, dataclass(frozen=True)(type("Other", (Door,), {}))], {})


@given(durations)
def test_durations_round_trip(duration: timedelta) -> None:
    """What is written is read back as the same duration, and written the same way again."""
    words = format_duration(duration)
    assert parse_duration(words) == duration
    assert format_duration(parse_duration(words)) == words
    assert coerce(timedelta, words) == duration


@given(st.integers(1, 10**9 - 1), durations.filter(bool))
def test_rates_round_trip(limit: int, period: timedelta) -> None:
    """A rate with a period of one unit is read back as the same rate."""
    assert Rate.parse(f"{limit}/{period // MILLISECOND}ms") == Rate(limit, period)
    hours = timedelta(hours=limit % 1000 + 1)
    assert Rate.parse(f"{limit} / {limit % 1000 + 1}h") == Rate(limit, hours)


@pytest.mark.parametrize(
    "words",
    ["", "5", "m", "-5m", "5 m", "5m ago", "1.5h", "5M", "\u0665m", "5m5", "1e3s", "999999999999d", "9" * 5000 + "d"],
)  # fmt: skip
def test_what_is_no_duration(words: str) -> None:
    """Signs, fractions, foreign digits, unknown units and endless ones are refused as ValueError."""
    with pytest.raises(ValueError, match=r"a duration|digits"):
        parse_duration(words)


@pytest.mark.parametrize(
    "words",
    ["", "5", "5/", "0/m", "5/0m", "/m", "-1/m", "5/15", "5//m", "5/m/m", "\u0665/m", "1/999999999999d"],
)
def test_what_is_no_rate(words: str) -> None:
    """A rate needs a limit and a period above zero."""
    with pytest.raises(ValueError, match=r"a rate|a duration"):
        Rate.parse(words)


@given(st.text(max_size=40))
def test_nonsense_is_a_value_error(words: str) -> None:
    """Whatever somebody types, the only error is the one that is turned into a message."""
    for kind in (bool, int, float, timedelta, Rate, Literal["left"]):
        said = ""
        try:
            coerce(kind, words)
        except ValueError as error:
            said = str(error)
        assert len(words.strip()) < 6 or words not in said
