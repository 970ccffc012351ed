"""Owns how settings are declared, coerced from words and checked; which settings exist is said beside what they steer.

A *group* is a frozen dataclass whose fields are made by `setting`. Names are unique across all groups, so the same
flat name works as a keyword argument (``session_idle="30m"``) and in the environment (``OSTIARY_SESSION_IDLE``).
Own code rather than pydantic-settings: the kernel must import in milliseconds, and words such as ``5/15m`` are ours.
"""

import math
import re
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ostiary.kernel.errors import Misuse
from ostiary.kernel.secret import Secret

G = TypeVar("G")

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION: Final = re.compile(r"(?:\d+(?:ms|[smhdw]))+", re.ASCII)
_PART: Final = re.compile(r"(\d+)(ms|[smhdw])", re.ASCII)
_RATE: Final = re.compile(r"(\d{1,9})\s*/\s*(\d*)\s*(ms|[smhdw])", re.ASCII)
_WHOLE: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?\d{1,18}(?:\.\d{1,18})?", re.ASCII)
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in a period; written ``"5/15m"``, ``"30/h"``."""

    limit: int
    period: timedelta

    @classmethod
    def parse(cls, words: str) -> "Rate":
        """Read ``limit/period``.

        Raises:
            ValueError: the words are no rate, or limit or period is zero.
        """
        match = _RATE.fullmatch(words.strip())
        if match is None:
            raise ValueError('a rate is written "5/15m" or "30/h"')
        limit, count, unit = int(match[1]), int(match[2] or 1), match[3]
        period = parse_duration(f"{count}{unit}")
        if limit < 1 or not period:
            raise ValueError("a rate needs a limit and a period above zero")
        return cls(limit, period)

    def __str__(self) -> str:
        return f"{self.limit}/{format_duration(self.period)}"


def parse_duration(words: str) -> timedelta:
    """Read ``"30m"``, ``"8h"``, ``"1d12h"``, ``"250ms"``.

    Raises:
        ValueError: the words are no duration.
    """
    words = words.strip()
    if not _DURATION.fullmatch(words):
        raise ValueError('a duration is written "90s", "30m", "8h", "7d" or "1d12h"')
    total = timedelta()
    try:
        for count, unit in _PART.findall(words):
            total += (
                timedelta(milliseconds=int(count))
                if unit == "ms"
                else timedelta(**{_UNITS[unit]: int(count)})
            )
    except OverflowError:
        raise ValueError("a duration this long cannot be counted") from None
    return total


def format_duration(duration: timedelta) -> str:
    """The shortest words that `parse_duration` reads back as the same duration (to the millisecond)."""
    rest = round(duration / timedelta(milliseconds=1))
    if not rest:
        return "0s"
    words = ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        words += f"{count}{unit}" if count else ""
    return words


def setting(default: Any = MISSING, *, doc: str) -> Any:
    """A field of a settings group.

    Args:
        default: Without one the setting must be given.
        doc: One line for the reference page.
    """
    return field(default=default, metadata={"doc": doc})


def _as_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _TRUE | _FALSE:
        return value.strip().lower() in _TRUE
    raise ValueError("expected true or false")


def _as_int(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    raise ValueError("expected a whole number")


def _as_float(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    raise ValueError("expected a number")


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("expected text")


def _as_secret(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, (str, bytes)):
        return Secret(value)
    raise ValueError("expected text")


def _as_duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    return parse_duration(_as_text(value))


def _as_path(value: object) -> Path:
    if isinstance(value, Path):
        return value
    return Path(_as_text(value))


_COERCE: Final[dict[Any, Callable[[object], Any]]] = {
    bool: _as_bool,
    int: _as_int,
    float: _as_float,
    str: _as_text,
    Secret: _as_secret,
    timedelta: _as_duration,
    Path: _as_path,
}


def coerce(kind: Any, value: object) -> Any:
    """Turn a value (often words from the environment) into the declared type.

    Raises:
        ValueError: it does not fit; the message says what is expected and never repeats the value.
    """
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        inner = next(arg for arg in get_args(kind) if arg is not type(None))
        return coerce(inner, value)
    if origin is Literal:
        for choice in get_args(kind):
            if str(choice) == str(value):
                return choice
        raise ValueError("expected one of " + ", ".join(str(choice) for choice in get_args(kind)))
    if origin is tuple:
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, Iterable):
            raise ValueError("expected a list")
        inner = get_args(kind)[0]
        words = (item.strip() if isinstance(item, str) else item for item in items)
        return tuple(coerce(inner, item) for item in words if item != "")
    if hasattr(kind, "parse"):  # a type with words of its own, such as `Rate`
        return value if isinstance(value, kind) else kind.parse(_as_text(value))
    return _COERCE[kind](value)


def declared(group: type[Any]) -> list[tuple[Field[Any], Any]]:
    """The fields of a group with their types, in order."""
    hints = get_type_hints(group)
    return [(f, hints[f.name]) for f in fields(group)]


class Settings:
    """All groups of one engine, built once and never changed.

    Args:
        groups: The groups that exist in this engine.
        given: Flat values; whatever is missing takes its default.

    Raises:
        Misuse: an unknown name, a value that does not fit, or a missing one; all mistakes are listed at once.
    """

    def __init__(self, groups: Iterable[type[Any]], given: Mapping[str, object]) -> None:
        self._built: dict[type[Any], Any] = {}
        self._owner: dict[str, type[Any]] = {}
        mistakes: list[str] = []
        for group in groups:
            self._add(group, given, mistakes)
        mistakes += [f"{name}: there is no such setting" for name in given if name not in self._owner]
        if mistakes:
            raise Misuse("settings: " + "; ".join(sorted(mistakes)))

    def _add(self, group: type[Any], given: Mapping[str, object], mistakes: list[str]) -> None:
        values: dict[str, Any] = {}
        before = len(mistakes)
        for item, kind in declared(group):
            if item.name in self._owner:
                raise Misuse(f"setting {item.name!r} is declared by two groups")
            self._owner[item.name] = group
            if item.name in given:
                try:
                    values[item.name] = coerce(kind, given[item.name])
                except ValueError as error:
                    mistakes.append(f"{item.name}: {error}")
            elif item.default is MISSING:
                mistakes.append(f"{item.name}: must be given ({item.metadata['doc']})")
        if len(mistakes) == before:
            try:
                self._built[group] = group(**values)
            except ValueError as error:
                mistakes.append(str(error))

    def of(self, group: type[G]) -> G:
        """The values of one group."""
        found: G = self._built[group]
        return found

    @property
    def groups(self) -> tuple[type[Any], ...]:
        """Every group, in the order in which they were added."""
        return tuple(self._built)
