"""Owns strict reading of JSON: what two parsers could read differently is refused, and size and depth are bounded.

RFC 8259 section 4 leaves open what a repeated member means, so one program may see another value than the next one.
Here it is an error, and so is text that nests too deeply or holds too many values.
"""

import re
from typing import Any, Final

import orjson

DEEPEST: Final = 16
MOST_VALUES: Final = 1000

# Every string of a JSON text from left to right; the group is there when a colon makes it a member's name.
_STRINGS: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?')


def parse(raw: bytes, *, deepest: int = DEEPEST, most_values: int = MOST_VALUES) -> Any:
    """Parse a JSON text whose meaning is beyond doubt.

    Args:
        raw: UTF-8 text. Its length is the caller's to bound.
        deepest: How many objects and arrays may lie in each other.
        most_values: How many values there may be in all.

    Raises:
        ValueError: It is not JSON, has a repeated member or a lone surrogate, or is beyond a bound. The message
            repeats nothing of the text.
    """
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise ValueError("not JSON") from None
    if (
        raw.count(b"{") == 1
        and type(parsed) is dict
        and raw.count(b"[") < deepest
        and raw.count(b",") < most_values
    ):
        names = len(parsed)  # the usual token: one flat object, which needs no walk
    else:
        names = _walk(parsed, deepest, most_values)
    # If the text names more members than were parsed, one of them stands there twice.
    if _may_repeat(raw, names) and names != sum(map(bool, _STRINGS.findall(raw))):
        raise ValueError("a member is repeated")
    return parsed


def _may_repeat(raw: bytes, names: int) -> bool:
    """Whether it takes a closer look to tell how many members a text names.

    Where no colon follows white space, every name ends in ``":``, so the text has at most as many names as it has of
    these. When that is the number of members that were parsed, none was lost.
    """
    return raw.count(b'":') != names or b" :" in raw or b"\t:" in raw or b"\n:" in raw or b"\r:" in raw


def _walk(parsed: Any, deepest: int, most_values: int) -> int:
    """Check size and depth; returns how many members all objects have together."""
    names = 0
    seen = 0
    waiting: list[tuple[Any, int]] = [(parsed, 1)]
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        if seen + len(waiting) > most_values:
            raise ValueError("too many values")
        if isinstance(value, (dict, list)):
            if depth > deepest:
                raise ValueError("nested too deeply")
            if isinstance(value, dict):
                names += len(value)
                waiting += [(inner, depth + 1) for inner in value.values()]
            else:
                waiting += [(inner, depth + 1) for inner in value]
    return names
