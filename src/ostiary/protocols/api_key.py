"""Owns the text of an API key: ``PREFIX_ENVIRONMENT_ID_SECRET``, with a checksum at its end. Pure.

The checksum is the CRC-32 of everything before it, in base62. It keeps nobody out: by it a secret scanner tells a real
key from what merely looks like one, and what was mistyped is refused without asking the database.
"""

import re
import zlib
from dataclasses import dataclass
from typing import Final

from ostiary.kernel.secret import Secret

SECRET_BYTES: Final = 32
_SECRET_LENGTH: Final = 43  # 256 bits in base62
_CHECKSUM_LENGTH: Final = 6  # 32 bits in base62
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_WORD: Final = r"[a-z][a-z0-9]{0,15}"
_BEGINNING: Final = re.compile(rf"{_WORD}_{_WORD}_", re.ASCII)
_KEY: Final = re.compile(
    rf"({_WORD}_{_WORD}_([0-9a-hjkmnp-tv-z]{{26}}))_([0-9A-Za-z]{{{_SECRET_LENGTH + _CHECKSUM_LENGTH}}})",
    re.ASCII,
)
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Presented:
    """A well-formed key that somebody has sent; whether it is genuine is another question.

    Attributes:
        id: Which key it says it is.
        shown: All of it that may be shown: everything before the secret.
        text: The whole key.
    """

    id: str
    shown: str
    text: Secret


def is_word(words: str) -> bool:
    """Whether this does as prefix or environment: 1 to 16 lower-case letters and digits, a letter first."""
    return re.fullmatch(_WORD, words, re.ASCII) is not None


def write(prefix: str, environment: str, key_id: str, secret: Secret) -> Presented:
    """The text of a new key.

    Args:
        key_id: As `World.id` makes it.
        secret: `SECRET_BYTES` bytes.
    """
    shown = f"{prefix}_{environment}_{key_id}"
    body = f"{shown}_{_base62(int.from_bytes(secret.reveal_bytes()), _SECRET_LENGTH)}"
    return Presented(key_id, shown, Secret(body + _checksum(body)))


def looks_like_one(words: str) -> bool:
    """Whether somebody means this as a key. An access token never looks like one: it has dots, a key has none."""
    return "." not in words and _BEGINNING.match(words) is not None


def read(words: str) -> Presented | None:
    """The key in some words; None for anything whose form or checksum is not right."""
    match = _KEY.fullmatch(words) if len(words) <= _LONGEST else None
    if match is None:
        return None
    body, checksum = words[:-_CHECKSUM_LENGTH], words[-_CHECKSUM_LENGTH:]
    # No secret is compared here: whoever knows the rest of the text can work the checksum out.
    return Presented(match[2], match[1], Secret(words)) if checksum == _checksum(body) else None


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode("ascii")), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = ""
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return digits
