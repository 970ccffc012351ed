"""Owns the one decision where a browser may be sent next (L25)."""

import re
from collections.abc import Container
from typing import Final
from urllib.parse import unquote_to_bytes

_LONGEST: Final = 2000
_ROUNDS: Final = 4
_BROKEN_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_DOT_SEGMENT: Final = re.compile(rb"/\.{1,2}(?:/|$)")


def safe_next(raw: str | None, allowed: Container[str] = ()) -> str | None:
    """Where `next`, RelayState and their like may lead.

    Args:
        raw: As the caller gave it.
        allowed: Absolute destinations that the operator registered; compared exactly.

    Returns:
        The path on our own origin or the registered destination, unchanged; None for everything else. A caller then
        goes to its own default.
    """
    if not raw or len(raw) > _LONGEST:
        return None
    if raw in allowed:
        return raw
    # Visible ASCII only: browsers strip tabs and line breaks, and fold some other characters into slashes.
    if raw[0] != "/" or not raw.isascii() or not all("!" <= c <= "~" for c in raw):
        return None
    path = re.split(r"[?#]", raw, maxsplit=1)[0].encode()
    return raw if "\\" not in raw and _is_plain(path) else None


def _is_plain(path: bytes) -> bool:
    """Whether a path means the same to everyone: however often it is decoded, it names no host and climbs nowhere."""
    if _BROKEN_ESCAPE.search(path):
        return False
    for _ in range(_ROUNDS):
        if b"//" in path or b"\\" in path or any(byte < 0x20 or byte == 0x7F for byte in path):
            return False
        if _DOT_SEGMENT.search(path):
            return False
        decoded = unquote_to_bytes(path)
        if decoded == path:
            return True
        path = decoded
    return False
