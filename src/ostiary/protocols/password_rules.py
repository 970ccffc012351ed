"""Owns the rules a new password must meet, and says every way in which one fails them at once.

Rules apply when a password is set, never when it is verified. Length is counted in code points after NFC (NIST SP
800-63B-4 section 3.1.1.2); nothing is trimmed, folded or cut off before hashing.
"""

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from ostiary.protocols.password_words import context_words, is_common, is_dominated

Preset = Literal["default", "nist63b4", "composition8", "composition12"]

# No composed character has more than four code points when decomposed, so a raw text longer than four times the
# limit is too long whatever NFC makes of it, and nothing needs to look at it (L28).
_MOST_CONTRACTION: Final = 4


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """What a new password must be.

    Attributes:
        min_length: Fewest code points after NFC.
        max_length: Most code points after NFC.
        require_upper: An upper-case letter.
        require_lower: A lower-case letter.
        require_digit: A decimal digit.
        require_symbol: Punctuation, a symbol or a space.
        blocklist: Whether common passwords and words of the context are refused.
        context_words: Words about the site, which hold for every account.
        breaches: Whether passwords that are known from breaches are refused.
    """

    min_length: int = 12
    max_length: int = 128
    require_upper: bool = False
    require_lower: bool = False
    require_digit: bool = False
    require_symbol: bool = False
    blocklist: bool = True
    context_words: tuple[str, ...] = ()
    breaches: bool = False


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that a password breaks.

    Attributes:
        code: Stable; the public error code.
        message: One sentence for the person choosing the password; it repeats nothing of the password.
    """

    code: str
    message: str


_COMPOSED: Final = PasswordRules(
    require_upper=True, require_lower=True, require_digit=True, require_symbol=True
)
_PRESETS: Final[dict[Preset, PasswordRules]] = {
    "default": PasswordRules(),
    "nist63b4": PasswordRules(min_length=15),
    "composition8": replace(_COMPOSED, min_length=8),
    "composition12": replace(_COMPOSED, min_length=12),
}
_NIST_WITH_SECOND_FACTOR: Final = 8


def preset(name: Preset, *, second_factor_enforced: bool = False) -> PasswordRules:
    """The rules behind a name.

    Args:
        name: `default` (12 to 128 characters, no composition rules), `nist63b4` (15), `composition8` and
            `composition12` (upper, lower, digit, symbol) for those who must.
        second_factor_enforced: The password never suffices alone, for which `nist63b4` asks for 8 only (NIST SP
            800-63B-4 section 3.1.1.2). The other presets do not change.
    """
    rules = _PRESETS[name]
    if name == "nist63b4" and second_factor_enforced:
        return replace(rules, min_length=_NIST_WITH_SECOND_FACTOR)
    return rules


def normalise(password: str) -> str:
    """The form that is counted and hashed: NFC, so that a composed and a decomposed accent sign in alike.

    No trimming, no case folding, no truncation.
    """
    return unicodedata.normalize("NFC", password)


def is_too_long(password: str, max_length: int) -> bool:
    """Whether a password has more than `max_length` code points after NFC; cheap however long it is (L28)."""
    if len(password) > _MOST_CONTRACTION * max_length:
        return True
    return len(normalise(password)) > max_length


def is_valid_text(password: str) -> bool:
    """Whether a new password has neither control characters nor lone surrogates."""
    return not any(unicodedata.category(c) in ("Cc", "Cs") for c in password)


def _is_symbol(c: str) -> bool:
    category = unicodedata.category(c)
    return category[0] in "PS" or category == "Zs"


_KINDS: Final[tuple[tuple[str, str, str, Callable[[str], bool]], ...]] = (
    ("require_upper", "password_needs_upper", "Add an upper-case letter.", str.isupper),
    ("require_lower", "password_needs_lower", "Add a lower-case letter.", str.islower),
    ("require_digit", "password_needs_digit", "Add a digit.", str.isdecimal),
    (
        "require_symbol",
        "password_needs_symbol",
        "Add a symbol, such as a punctuation mark or a space.",
        _is_symbol,
    ),
)


def violations(
    password: str, rules: PasswordRules, context: Iterable[str] = (), *, is_breached: bool = False
) -> tuple[Violation, ...]:
    """Every rule that a new password breaks, so that a person corrects them all in one go.

    Args:
        password: As typed.
        rules: What is asked for.
        context: Facts about the account: e-mail addresses, user name, the person's name.
        is_breached: Whether it was found to be known from a breach.

    Returns:
        Nothing when the password is fine. A password so long that it need not be looked at is only too long.
    """
    too_long = Violation("password_too_long", f"Use at most {rules.max_length} characters.")
    if len(password) > _MOST_CONTRACTION * rules.max_length:
        return (too_long,)
    text = normalise(password)
    found: list[Violation] = []
    if len(text) < rules.min_length:
        found.append(Violation("password_too_short", f"Use at least {rules.min_length} characters."))
    if len(text) > rules.max_length:
        found.append(too_long)
    if not is_valid_text(text):
        found.append(Violation("password_invalid_characters", "Remove characters that cannot be printed."))
    for required, name, message, is_kind in _KINDS:
        if getattr(rules, required) and not any(is_kind(c) for c in text):
            found.append(Violation(name, message))
    if rules.blocklist:
        found += _word_violations(text, (*rules.context_words, *context))
    if rules.breaches and is_breached:
        found.append(
            Violation(
                "password_breached",
                "This password is known from a data breach. Choose one that was never used anywhere.",
            )
        )
    return tuple(found)


def _word_violations(text: str, context: Iterable[str]) -> list[Violation]:
    found: list[Violation] = []
    if is_common(text):
        found.append(Violation("password_common", "This password is among the first that are guessed."))
    if is_dominated(text, context_words(context)):
        found.append(
            Violation(
                "password_contains_context",
                "Do not build it from your name, your address or the name of this site.",
            )
        )
    return found
