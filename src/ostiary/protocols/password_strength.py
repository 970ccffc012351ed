"""Owns the estimate behind the strength meter: a hint for people, never a rule.

It counts bits roughly: a listed password inside the text costs one guess from the list, a character that follows
from the one before it next to nothing, letters about as much as in words. It looks at 128 characters at most and
takes well under a millisecond.
"""

from collections.abc import Iterable
from math import log2
from typing import Final

from ostiary.protocols.password_words import (
    common_passwords,
    context_words,
    fold,
    is_common,
    is_dominated,
    is_step,
)

_LOOKED_AT: Final = 128
_LISTED_LONGEST: Final = 26
_LISTED_SHORTEST: Final = 8
_STEP_BITS: Final = 0.5
_LETTER_BITS: Final = 2.75
_DIGIT_BITS: Final = 3.0
_SYMBOL_BITS: Final = 4.0
_OTHER_BITS: Final = 6.0
_CHANGE_BITS: Final = 1.5
_GRADES: Final = (20.0, 35.0, 50.0, 65.0)


def strength(password: str, context: Iterable[str] = ()) -> int:
    """How hard a password is to guess: 0 (at once) to 4 (not at all likely).

    Args:
        password: As typed, however long.
        context: Facts about the account, as for `violations`.
    """
    text = password[:_LOOKED_AT]
    if not text or is_common(text) or is_dominated(text, context_words(context)):
        return 0
    bits = _bits(text)
    return sum(bits >= grade for grade in _GRADES)


def _bits(text: str) -> float:
    folded = fold(text)
    # Folding may change the length ("ß" becomes "ss"); the classes of characters are then read from the folded text.
    shown = text if len(text) == len(folded) else folded
    total, at = 0.0, 0
    while at < len(shown):
        size = _listed_at(folded, at)
        if size:
            total += log2(len(common_passwords()))
            at += size
            continue
        total += _character_bits(shown, at)
        at += 1
    return total


def _listed_at(folded: str, at: int) -> int:
    """The length of the longest listed password that starts here."""
    listed = common_passwords()
    for size in range(min(_LISTED_LONGEST, len(folded) - at), _LISTED_SHORTEST - 1, -1):
        if folded[at : at + size] in listed:
            return size
    return 0


def _kind(c: str) -> tuple[str, float]:
    if not c.isascii():
        return "other", _OTHER_BITS
    if c.isdecimal():
        return "digit", _DIGIT_BITS
    if c.isalpha():
        return ("upper" if c.isupper() else "lower"), _LETTER_BITS
    return "symbol", _SYMBOL_BITS


def _character_bits(text: str, at: int) -> float:
    kind, bits = _kind(text[at])
    if not at:
        return bits
    if is_step(text[at - 1], text[at]):
        return _STEP_BITS
    return bits + (_CHANGE_BITS if _kind(text[at - 1])[0] != kind else 0.0)
