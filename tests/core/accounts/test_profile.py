"""Profile fields: how they are written, what fits in them, and what a line of text is."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.core.accounts.line import read_line
from ostiary.core.accounts.profile import ProfileField, judge
from ostiary.core.accounts.settings import AccountSettings
from ostiary.kernel.errors import Misuse, Refused
from ostiary.kernel.settings import Settings

CITY = ProfileField("city", longest=5)
BORN = ProfileField("born", "number", least=1900, most=2030)
NEWS = ProfileField("news", "flag")
PLAN = ProfileField("plan", read_only=True)
FIELDS = (CITY, BORN, NEWS, PLAN)


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ("city", ProfileField("city")),
        ("city text 80", ProfileField("city", longest=80)),
        ("born number 1900..2030", BORN),
        ("depth number -10..-1", ProfileField("depth", "number", least=-10, most=-1)),
        ("news flag", NEWS),
        ("plan read-only", PLAN),
        ("  plan   text  read-only ", PLAN),
    ],
)
def test_a_field_in_words(words: str, field: ProfileField) -> None:
    """What stands in the environment is the same field as one made in Python."""
    assert ProfileField.parse(words) == field


@pytest.mark.parametrize(
    "words",
    [
        "", "City", "9lives", "a-b", "a" * 41, "city text 0", "city text 1001", "city 80", "city number 80",
        "news flag 1..2",
        "born number 2..1", "born number 1900", "city text long", "city secret", "café", "born number \u0661..\u0662",
    ],
)  # fmt: skip
def test_words_that_are_no_field(words: str) -> None:
    """A mistake in the settings is one, and not a field that nobody meant."""
    with pytest.raises(ValueError, match=r"field|characters|number"):
        ProfileField.parse(words)


def test_the_settings_hold_a_list_of_them() -> None:
    """From words with commas or from objects; none twice, and not too many."""

    def fields(given: object) -> tuple[ProfileField, ...]:
        return Settings([AccountSettings], {"profile_fields": given}).of(AccountSettings).profile_fields

    assert fields("city text 5, born number 1900..2030,news flag") == (CITY, BORN, NEWS)
    assert fields((CITY, "plan read-only")) == (CITY, PLAN)
    for wrong in ("city, city", ",".join(f"f{n}" for n in range(51)), "city,City", [1]):
        with pytest.raises(Misuse, match="profile_fields: "):
            fields(wrong)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ({"city": " Oslo "}, {"city": "Oslo"}),
        ({"city": "A\u030as"}, {"city": "Ås"}),
        ({"city": "e\u0301" * 5}, {"city": "é" * 5}),
        ({"city": "👩‍🚀"}, {"city": "👩‍🚀"}),
        ({"city": "  "}, {"city": None}),
        ({"city": "<b>"}, {"city": "<b>"}),
        ({"city": None, "news": None}, {"city": None, "news": None}),
        ({"born": 1900}, {"born": 1900}),
        ({"news": False}, {"news": False}),
        ({}, {}),
    ],
)
def test_what_fits(value: dict[str, object], stored: dict[str, object]) -> None:
    """Text is stored as NFC without space around it; what is not mentioned is not touched; null empties."""
    assert judge(FIELDS, value, by_owner=True) == stored


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("city", "Bergen"), ("city", 5), ("city", True), ("city", "a\nb"), ("city", "a\tb"), ("city", "a\x00"),
        ("city", "a\x7f"), ("city", "a\x85b"), ("city", "a\u2028b"), ("city", "\u202egp"), ("city", "a\u2066"),
        ("city", "\ud800"), ("city", "x" * 10_000), ("born", 1899), ("born", 2031), ("born", True), ("born", "1980"),
        ("born", 1980.0), ("news", 1), ("news", "on"), ("plan", "gold"), ("plan", None), ("status", "active"),
        ("city", ["Oslo"]), ("city", {"a": "b"}), ("", "x"),
    ],
)  # fmt: skip
def test_what_does_not_fit(name: str, value: object) -> None:
    """Each mistake is named with its place; one is enough to refuse all of it, and what fits is no mistake."""
    with pytest.raises(Refused) as caught:
        judge(FIELDS, {"news": True, name: value}, by_owner=True)
    (error,) = caught.value.details["errors"]
    assert error["loc"] == ["profile", name]
    assert str(value) not in error["message"] or not str(value)


def test_the_application_may_change_what_the_owner_may_not() -> None:
    """Read-only is for owners."""
    assert judge(FIELDS, {"plan": "gold"}, by_owner=False) == {"plan": "gold"}
    with pytest.raises(Refused):
        judge(FIELDS, {"status": "active"}, by_owner=False)


@given(st.text(max_size=80), st.integers(1, 40))
def test_a_line_is_one_line(typed: str, longest: int) -> None:
    """Whatever is typed is refused, or is NFC, short enough, and without anything that breaks or turns a line."""
    try:
        line = read_line(typed, longest)
    except ValueError:
        return
    assert len(line) <= longest
    assert unicodedata.is_normalized("NFC", line)
    assert len(line.splitlines()) <= 1
    assert read_line(line, longest) == line
