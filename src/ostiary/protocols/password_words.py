"""Owns the words a password must not consist of: common passwords, trivial patterns, and words of its context.

Everything here is compared after folding (compatibility form, case), and the usual disguises are looked through:
letters written as digits, symbols put around or between. Only the *whole* password is judged, or one that such a
word dominates (NIST SP 800-63B-4 section 3.1.1.2); a long passphrase may well contain a short name.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Final

_LIST: Final = "common_passwords.txt"
_UNLEET: Final = str.maketrans("0134578@$!|€+", "oieastbasiiet")
# "1" and "!" stand for "l" as often as for "i".
_UNLEET_L: Final = str.maketrans("0134578@$!|€+", "oleastbasllet")
_MARKS: Final = "!?.,;:*+#$%&@/=~^()<>-_ "
_TAIL: Final = "0123456789" + _MARKS
_SPLIT: Final = re.compile(r"[\W_]+")

_LONGEST_JUDGED: Final = 256
_LONGEST_UNIT: Final = 6
_STEPS_PER_BREAK: Final = 6
_WRAPS: Final = frozenset({("9", "0"), ("0", "9"), ("z", "a"), ("a", "z")})

_SHORTEST_WORD: Final = 3
_SHORTEST_REVERSED: Final = 5
_MOST_WORDS: Final = 64
_ENOUGH_LEFT: Final = 8


@cache
def common_passwords() -> frozenset[str]:
    """The blocklist, folded; read from the package once, when first asked for.

    `tools/generate_blocklist.py` writes it from patterns of our own.
    """
    text = files("ostiary.protocols").joinpath(_LIST).read_text(encoding="ascii")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def fold(text: str) -> str:
    """The form in which words are compared: compatibility characters and case make no difference.

    Cut to 256 characters before and after, since one character may become eighteen (L28).
    """
    compatible = unicodedata.normalize("NFKC", text[:_LONGEST_JUDGED])[:_LONGEST_JUDGED]
    return unicodedata.normalize("NFKC", compatible.casefold())[:_LONGEST_JUDGED]


def squeeze(text: str) -> str:
    """The text without anything but letters and digits."""
    return "".join(c for c in text if c.isalnum())


def undisguised(text: str) -> tuple[str, ...]:
    """The folded text, then as it reads when digits and symbols stand for the letters they resemble.

    Once everywhere, once only before the digits at the end: in "p4ssw0rd2024" those are a year, not letters.
    """
    folded = fold(text).strip()
    head = folded.rstrip(_TAIL)
    tail = folded[len(head) :]
    return tuple(
        dict.fromkeys(
            (
                folded,
                *(head.translate(table) + tail for table in (_UNLEET, _UNLEET_L)),
                *(folded.translate(table) for table in (_UNLEET, _UNLEET_L)),
            )
        )
    )


def is_common(password: str) -> bool:
    """Whether the whole password is on the blocklist, or is a pattern too plain to need listing."""
    return any(_is_common_form(form) for form in undisguised(password))


def _is_common_form(form: str) -> bool:
    listed = common_passwords()
    squeezed = squeeze(form)
    candidates = {form, form.strip(_MARKS)}
    if 4 * len(squeezed) >= 3 * len(form):
        candidates.add(squeezed)
    if not listed.isdisjoint(candidates):
        return True
    unit = _repeated_unit(form)
    if unit and (len(unit) <= _LONGEST_UNIT or unit in listed):
        return True
    return _is_sequence(form)


def _repeated_unit(text: str) -> str:
    """The shortest text whose repetition gives at least two rounds and exactly this text; "" when there is none."""
    for size in range(1, len(text) // 2 + 1):
        if text[:-size] == text[size:]:
            return text[:size]
    return ""


def is_step(before: str, after: str) -> bool:
    """Whether one character follows the other as in "aab", "123", "cba" or "890"."""
    return abs(ord(after) - ord(before)) <= 1 or (before, after) in _WRAPS


def _is_sequence(text: str) -> bool:
    """Whether nearly every character follows from the one before it: "abcdefgh1234", "112233445566"."""
    breaks = sum(not is_step(a, b) for a, b in pairwise(text))
    return len(text) >= _STEPS_PER_BREAK and breaks * _STEPS_PER_BREAK <= len(text)


def context_words(context: Iterable[str]) -> frozenset[str]:
    """What an attacker would derive from facts about the account, folded.

    Args:
        context: E-mail addresses, names of persons, of the site and of the organisation, in any order.

    Returns:
        Each fact, its parts (local part, domain labels but the last, words), the parts run together, and longer
        ones backwards; at most 64 and as many backwards, none shorter than 3 characters.
    """
    found: dict[str, None] = {}
    for fact in context:
        folded = fold(fact.strip())
        texts = [folded]
        local, at, domain = folded.rpartition("@")
        if at:
            texts += [local, local.partition("+")[0], *domain.split(".")[:-1], domain]
        for text in texts:
            found[text] = None
            found[squeeze(text)] = None
            # The last label of a domain ("com") is no word about anybody.
            parts = [] if at and text in (folded, domain) else _SPLIT.split(text)
            found.update(dict.fromkeys(parts))
            if len(parts) > 1:
                found["".join(reversed(parts))] = None
    words = [word for word in found if len(word) >= _SHORTEST_WORD][:_MOST_WORDS]
    return frozenset(words) | {word[::-1] for word in words if len(word) >= _SHORTEST_REVERSED}


def is_dominated(password: str, words: frozenset[str]) -> bool:
    """Whether words of the context make up the password, give or take a suffix or another common word.

    A password is refused when what remains beside those words is empty, a short number, a common password, or
    both fewer than 8 characters and no more than the words themselves.
    """
    spoken = frozenset(form for word in words for form in undisguised(word))
    forms = {form for folded in undisguised(password) for form in (folded, squeeze(folded))}
    return any(_dominates(spoken, form) for form in forms if form)


def _dominates(words: frozenset[str], form: str) -> bool:
    covered = [False] * len(form)
    for word in words:
        at = form.find(word)
        while at >= 0:
            covered[at : at + len(word)] = [True] * len(word)
            at = form.find(word, at + 1)
    share = sum(covered)
    if not share:
        return False
    rest = squeeze("".join(c for c, taken in zip(form, covered, strict=True) if not taken))
    if len(rest) < _ENOUGH_LEFT and 2 * share >= len(form):
        return True
    return not rest or (rest.isdecimal() and len(rest) <= _ENOUGH_LEFT) or is_common(rest)
