"""Owns the algebra of row policies: expressions over attributes of the principal and of the row, and their value. Pure.

One expression has two readings that always agree: `value` here, in Python, and `filter` beside this module, as SQL.
Both follow SQL's three-valued logic: a comparison with a missing value is neither true nor false but unknown (None),
and only true allows.

    authors_edit = row.author_id == principal.id
    open_to_team = (row.state == "open") & row.team_id.in_(principal.teams)
"""

import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from math import isfinite
from typing import Any, Final

from ostiary.kernel.errors import Misuse

Scalar = str | int | float | bool | datetime
_SCALARS: Final = (str, int, float, bool, datetime)
_INTEGERS: Final = 2**63


class Op(Enum):
    """Comparisons, each with what computes it: for two values a truth, for two columns a condition."""

    EQ = (operator.eq,)
    NE = (operator.ne,)
    LT = (operator.lt,)
    LE = (operator.le,)
    GT = (operator.gt,)
    GE = (operator.ge,)

    def __call__(self, left: Any, right: Any) -> Any:
        return self.value[0](left, right)


class Side(Enum):
    """Whose attribute it is."""

    PRINCIPAL = "principal"
    ROW = "row"


class Expression:
    """A condition. Combine with ``&``, ``|`` and ``~``; Python's ``and``, ``or``, ``not`` cannot be seen and raise."""

    __slots__ = ()

    def __and__(self, other: "Expression") -> "Expression":
        return Both(self, _expression(other))

    def __or__(self, other: "Expression") -> "Expression":
        return Either(self, _expression(other))

    def __invert__(self) -> "Expression":
        return Not(self)

    def __bool__(self) -> bool:
        raise Misuse("a policy's expression has no truth of its own: write & | ~ instead of and, or, not")


class Operand:
    """Something that can be compared: an attribute."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # its == makes an expression

    def __eq__(self, other: object) -> "Compare":  # type: ignore[override]
        return Compare(Op.EQ, self, _operand(other))

    def __ne__(self, other: object) -> "Compare":  # type: ignore[override]
        return Compare(Op.NE, self, _operand(other))

    def __lt__(self, other: object) -> "Compare":
        return Compare(Op.LT, self, _operand(other))

    def __le__(self, other: object) -> "Compare":
        return Compare(Op.LE, self, _operand(other))

    def __gt__(self, other: object) -> "Compare":
        return Compare(Op.GT, self, _operand(other))

    def __ge__(self, other: object) -> "Compare":
        return Compare(Op.GE, self, _operand(other))

    def __bool__(self) -> bool:
        raise Misuse("an attribute has no truth of its own: compare it, such as principal.is_staff == True")

    def in_(self, values: "Iterable[Scalar] | Operand") -> "In":
        """Whether it is one of some values, or of a list that the principal has."""
        if isinstance(values, Attribute) and values.side is Side.PRINCIPAL:
            return In(self, values)
        if isinstance(values, Operand | str):
            raise Misuse("in_ takes a list of values, or a list that the principal has (principal.teams)")
        return In(self, tuple(Constant(_scalar(value)) for value in values))

    def is_missing(self) -> "IsMissing":
        """Whether there is no value (NULL). Comparing with None would be neither true nor false."""
        return IsMissing(self)


@dataclass(frozen=True, slots=True, eq=False)
class Attribute(Operand):
    """An attribute by name."""

    side: Side
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Constant(Operand):
    """A value that stands in the policy."""

    value: Scalar


@dataclass(frozen=True, slots=True, eq=False)
class Compare(Expression):
    """One comparison."""

    op: Op
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True, eq=False)
class In(Expression):
    """Membership."""

    what: Operand
    among: tuple[Constant, ...] | Attribute


@dataclass(frozen=True, slots=True, eq=False)
class IsMissing(Expression):
    """There is no value."""

    what: Operand


@dataclass(frozen=True, slots=True, eq=False)
class Both(Expression):
    """Conjunction."""

    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True, eq=False)
class Either(Expression):
    """Disjunction."""

    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True, eq=False)
class Not(Expression):
    """Negation."""

    inner: Expression


class _Names:
    """Makes attributes: ``row.author_id``."""

    __slots__ = ("_side",)

    def __init__(self, side: Side) -> None:
        self._side = side

    def __getattr__(self, name: str) -> Attribute:
        if name.startswith("__"):
            raise AttributeError(name)
        return Attribute(self._side, name)


principal: Final = _Names(Side.PRINCIPAL)
row: Final = _Names(Side.ROW)


def _expression(value: object) -> Expression:
    if isinstance(value, Expression):
        return value
    raise Misuse(f"{value!r} is no condition: compare something on both sides of & and |")


def _operand(value: object) -> Operand:
    return value if isinstance(value, Operand) else Constant(_scalar(value))


def _scalar(value: object) -> Scalar:
    if value is None:
        raise Misuse("comparing with None is neither true nor false: use is_missing()")
    if not isinstance(value, _SCALARS) or kind_of(value) is None:
        raise Misuse(f"{value!r} cannot stand in a policy: text, numbers, true and false, and moments can")
    return value


def kind_of(value: object) -> type | None:
    """What a value is compared as: True is no 1 here. None for what no database can hold: it compares to nothing."""
    if isinstance(value, bool):
        return bool
    if isinstance(value, int):
        return float if -_INTEGERS <= value < _INTEGERS else None
    if isinstance(value, float):
        return float if isfinite(value) else None
    if isinstance(value, datetime):
        return datetime
    if isinstance(value, str):
        return str if _is_storable(value) else None
    return None


def _is_storable(words: str) -> bool:
    if "\0" in words:
        return False
    try:
        words.encode()
    except UnicodeEncodeError:
        return False
    return True


def in_utc(moment: datetime) -> datetime:
    """A moment in UTC. One without a time zone is in UTC already: that is how SQLite gives back what it was given."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def attribute_of(thing: object, name: str) -> Any:
    """An attribute of an object, or a key of a mapping.

    Raises:
        LookupError: it has none.
    """
    if isinstance(thing, Mapping):
        return thing[name]
    try:
        return getattr(thing, name)
    except AttributeError:
        raise LookupError(name) from None


def resolve(operand: Operand, who: object, what: object) -> Any:
    """The value of an operand for a principal and a row.

    Raises:
        LookupError: the attribute is not there.
    """
    match operand:
        case Constant(value):
            return value
        case Attribute(Side.PRINCIPAL, name):
            return attribute_of(who, name)
        case Attribute(Side.ROW, name):
            return attribute_of(what, name)
        case _:
            raise Misuse(f"{operand!r} is no operand")


def value(expression: Expression, who: object, what: object) -> bool | None:
    """The truth of an expression: True, False, or None for unknown. Only True allows.

    Raises:
        LookupError: an attribute is not there; whoever asks takes that for a denial.
    """
    match expression:
        case Compare(op, left, right):
            return compare(op, resolve(left, who, what), resolve(right, who, what))
        case In(subject, among):
            return _among(resolve(subject, who, what), members(among, who))
        case IsMissing(subject):
            return resolve(subject, who, what) is None
        case Both(left, right):
            one, other = value(left, who, what), value(right, who, what)
            return False if one is False or other is False else None if None in (one, other) else True
        case Either(left, right):
            one, other = value(left, who, what), value(right, who, what)
            return True if one is True or other is True else None if None in (one, other) else False
        case Not(inner):
            found = value(inner, who, what)
            return None if found is None else not found
        case _:
            raise Misuse(f"{expression!r} is no expression of this algebra")


def mentions_row(expression: Expression) -> bool:
    """Whether its value depends on a row."""
    match expression:
        case Compare(_, left, right):
            return _is_of_row(left) or _is_of_row(right)
        case In(subject, _) | IsMissing(subject):
            return _is_of_row(subject)
        case Both(left, right) | Either(left, right):
            return mentions_row(left) or mentions_row(right)
        case Not(inner):
            return mentions_row(inner)
        case _:
            raise Misuse(f"{expression!r} is no expression of this algebra")


def _is_of_row(operand: Operand) -> bool:
    return isinstance(operand, Attribute) and operand.side is Side.ROW


def members(among: tuple[Constant, ...] | Attribute, who: object) -> tuple[Any, ...]:
    """The values of a membership test.

    Raises:
        LookupError: the principal has no such list.
    """
    if isinstance(among, tuple):
        return tuple(constant.value for constant in among)
    found = attribute_of(who, among.name)
    if found is None:
        return ()
    if isinstance(found, str) or not isinstance(found, Iterable):
        raise LookupError(f"{among.name} is no list")  # noqa: TRY004 – as when it is missing: a denial
    return tuple(found)


def compare(op: Op, left: Any, right: Any) -> bool | None:
    """One comparison; unknown for a missing value, and for values of different kinds."""
    kind = kind_of(left)
    if kind is None or kind is not kind_of(right):
        return None
    if kind is datetime:
        left, right = in_utc(left), in_utc(right)
    return bool(op(left, right))


def _among(subject: Any, values: tuple[Any, ...]) -> bool | None:
    found = [compare(Op.EQ, subject, one) for one in values]
    return True if True in found else None if None in found else False
