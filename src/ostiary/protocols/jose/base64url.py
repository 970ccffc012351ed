"""Owns base64url as JOSE writes it (RFC 7515 section 2): no padding, no line breaks, one text for each value."""

import base64
import binascii
import re
from typing import Final

_ALPHABET: Final = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
# The last character of a text whose length is not a multiple of four carries bits that no byte uses; they are zero.
_LAST: Final = {2: frozenset("AQgw"), 3: frozenset("AEIMQUYcgkosw048")}


def encode(raw: bytes) -> str:
    """The one base64url text of these bytes."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes behind a text.

    Raises:
        ValueError: It has padding, white space, other characters, an impossible length, or stray bits at its end.
    """
    if not _ALPHABET.fullmatch(text):
        raise ValueError("not base64url")
    return decode_alphabet(text)


def decode_alphabet(text: str) -> bytes:
    """Like `decode`, for a text that is known to hold nothing but the 64 characters."""
    rest = len(text) % 4
    if rest and text[-1] not in _LAST.get(rest, ()):
        raise ValueError("not canonical base64url")
    return binascii.a2b_base64(text.encode().translate(_TO_STANDARD) + b"==="[: -rest % 4])
