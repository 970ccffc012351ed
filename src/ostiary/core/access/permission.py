"""Owns the names of permissions, the patterns that grant them, and which pattern covers which permission. Pure."""

import re
from typing import Final

from ostiary.kernel.errors import Misuse

EVERYTHING: Final = "admin:all"

_NAME: Final = r"[a-z][a-z0-9_.-]{0,63}"
_PERMISSION: Final = re.compile(rf"{_NAME}:{_NAME}", re.ASCII)
_PATTERN: Final = re.compile(rf"{_NAME}:(?:{_NAME}|\*)", re.ASCII)


def permission(words: str) -> str:
    """Check the name of one permission, ``resource:action``.

    Raises:
        Misuse: it is none; patterns with ``*`` are for roles, not for questions.
    """
    if not _PERMISSION.fullmatch(words):
        raise Misuse(f"{words!r} is no permission: write resource:action in lower case, such as posts:delete")
    return words


def is_pattern(words: str) -> bool:
    """Whether a role may grant this: ``posts:delete``, ``posts:*`` or ``admin:all``, which is everything."""
    return _PATTERN.fullmatch(words) is not None


def pattern(words: str) -> str:
    """Check what a role grants.

    Raises:
        Misuse: it is no pattern.
    """
    if not is_pattern(words):
        raise Misuse(f"{words!r} grants nothing: write resource:action, resource:* or {EVERYTHING}")
    return words


def covers(granted: str, asked: str) -> bool:
    """Whether a pattern grants a permission. ``admin:all`` covers everything, ``posts:*`` every action on posts."""
    if granted in (EVERYTHING, asked):
        return True
    resource, _, action = granted.partition(":")
    return action == "*" and resource == asked.partition(":")[0]


def is_within(narrow: str, wide: str) -> bool:
    """Whether everything that one pattern grants is granted by the other."""
    if wide in (EVERYTHING, narrow):
        return True
    if narrow == EVERYTHING:
        return False
    resource, _, action = wide.partition(":")
    return action == "*" and narrow.partition(":")[0] == resource
