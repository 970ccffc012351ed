"""What a backup code looks like, and what people make of it when they type it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.features.backup_codes.code import BYTES, MOST, BackupCode, made_of, read

NUMBERS = st.integers(0, MOST - 1)
CHANCE = st.binary(min_size=BYTES, max_size=BYTES)


def parts(code: BackupCode | None) -> tuple[int, str] | None:
    """What can be compared of a code."""
    return None if code is None else (code.number, code.letters.reveal())


@given(number=NUMBERS, chance=CHANCE)
def test_what_is_shown_is_read_back(number: int, chance: bytes) -> None:
    """Every code, with or without its dashes, in any case, with spaces anywhere."""
    made = made_of(number, chance)
    shown = made.shown.reveal()
    for typed in (shown, shown.lower(), shown.replace("-", ""), f"  {' '.join(shown)}\n", shown.swapcase()):
        assert parts(read(typed)) == parts(made)


@given(one=CHANCE, two=CHANCE)
def test_no_chance_is_lost(one: bytes, two: bytes) -> None:
    """Different bytes make different codes: all 80 bits are in the letters."""
    assert (made_of(0, one).letters.reveal() == made_of(0, two).letters.reveal()) == (one == two)


def test_it_is_made_for_reading() -> None:
    """A number, four groups of four, and no letter that looks like another character."""
    assert made_of(3, bytes(BYTES)).shown.reveal() == "3-0000-0000-0000-0000"
    assert made_of(31, b"\xff" * BYTES).shown.reveal() == "Z-ZZZZ-ZZZZ-ZZZZ-ZZZZ"
    assert made_of(9, bytes.fromhex("00443214c74254b635cf")).shown.reveal() == "9-0123-4567-89AB-CDEF"


@pytest.mark.parametrize("typed", ["O-iLoL-0000-0000-0000", "0-1101-oooo-OOOO-0000", "0 i1O1 oooo 0000 0000"])
def test_lookalikes_count_as_what_they_look_like(typed: str) -> None:
    """O is zero, I and L are one."""
    assert parts(read(typed)) == (0, "1101000000000000")


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "-",
        "123456",
        "0-0000-0000-0000-000",
        "0-0000-0000-0000-00000",
        "0-0000-0000-0000-000U",
        "0-0000-0000-0000-000!",
        "0-0000-0000-0000-000\0",
        "0-0000-0000-0000-000\u0660",
        "\uff10-0000-0000-0000-0000",
        "0-0000-0000-0000-000\u0131",  # dotless i: its upper case is an ASCII letter
        "0-0000-0000-0000-00\ufb01",  # the ligature fi: two letters in upper case
        "0-0000-0000-0000-00\u00df",
        "0_0000_0000_0000_0000",
    ],
)
def test_what_is_no_code(typed: str) -> None:
    """Anything else is none, and nothing is guessed."""
    assert read(typed) is None


@given(st.text(max_size=30))
def test_nothing_typed_breaks_it(typed: str) -> None:
    """Any text is a code or none; never an exception."""
    found = read(typed)
    assert found is None or (0 <= found.number < MOST and len(found.letters) == 16)


def test_what_is_hashed_names_purpose_account_and_number() -> None:
    """The same letters hash differently in another place."""
    code = made_of(3, bytes(BYTES))
    assert code.bound("one").reveal() == "backup_code:one:3:0000000000000000"
    assert code.bound("one").reveal() != code.bound("two").reveal()
