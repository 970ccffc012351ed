"""Owns what counts as a line of text that people give about themselves: Unicode, bounded, without control characters.

It refuses what would make a line look like another one, or like more than one. Markup is text like any other (L26).
"""

import unicodedata
from typing import Final

# Cc: control characters, line breaks among them; Cs: halves of characters; Zl, Zp: more line breaks.
_REFUSED_KINDS: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
# These turn the direction of what follows, on the page and in the mail around it, too (Unicode TR 36 section 2.9).
_TURNS_TEXT: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def read_line(typed: str, longest: int) -> str:
    """The line as it is stored: NFC, without white space around it.

    Args:
        longest: Most characters (code points).

    Raises:
        ValueError: it does not do; the message says why, in words for whoever typed it.
    """
    # NFC first: what is counted is what is stored. A megabyte is not worth normalising to be told that.
    if len(typed) > 4 * longest + 64:
        raise ValueError(f"Use at most {longest} characters.")
    line = unicodedata.normalize("NFC", typed).strip()
    if len(line) > longest:
        raise ValueError(f"Use at most {longest} characters.")
    if any(unicodedata.category(c) in _REFUSED_KINDS or c in _TURNS_TEXT for c in line):
        raise ValueError("Use one line of text, without control characters.")
    return line
