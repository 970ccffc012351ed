"""Owns the reading of a policy's expression as SQL: the rows for which its value is true, for one principal. Pure.

It agrees with `expression.value` on every row, missing values included; a property test holds the two together.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from ostiary.core.access import expression as ex
from ostiary.core.access.expression import Attribute, Constant, Expression, Op, Side
from ostiary.kernel.errors import Misuse

Condition = sa.ColumnElement[bool]
Columns = Callable[[str], sa.ColumnElement[Any]]
"""The column behind an attribute of a row; raises `Misuse` when there is none."""

_ORDERINGS: Final = (Op.LT, Op.LE, Op.GT, Op.GE)


class _ByCodePoint(sa.ColumnElement[str]):
    """Text that is ordered as Python orders it, and not as the database's language would."""

    inherit_cache = True

    def __init__(self, words: sa.ColumnElement[Any]) -> None:
        self.words = words

    _traverse_internals = [("words", sa.sql.visitors.InternalTraversal.dp_clauseelement)]  # noqa: RUF012 – SQLAlchemy reads it so


@compiles(_ByCodePoint)
def _in_general(element: _ByCodePoint, compiler: Any, **given: Any) -> str:
    return f'({compiler.process(element.words, **given)} COLLATE "C")'


@compiles(_ByCodePoint, "sqlite")
def _on_sqlite(element: _ByCodePoint, compiler: Any, **given: Any) -> str:
    return f"({compiler.process(element.words, **given)} COLLATE BINARY)"


def unknown() -> Condition:
    """Neither true nor false."""
    return sa.cast(sa.null(), sa.Boolean)


def columns_of(table: Any) -> Columns:
    """The columns of a table, an alias, a subquery or a mapped class, by name."""

    def column(name: str) -> sa.ColumnElement[Any]:
        found = table.c.get(name) if hasattr(table, "c") else getattr(table, name, None)
        if found is None or not hasattr(found, "type"):
            raise Misuse(f"{table} has no column {name!r}, which a policy compares")
        element: sa.ColumnElement[Any] = found
        return element

    return column


def kind_of_column(column: sa.ColumnElement[Any]) -> type:
    """What a column is compared as.

    Raises:
        Misuse: its type has no place in a policy.
    """
    kind = column.type
    if isinstance(kind, sa.Boolean):
        return bool
    if isinstance(kind, sa.Integer | sa.Float):
        return float
    if isinstance(kind, sa.DateTime):
        return datetime
    if isinstance(kind, sa.String) and not isinstance(kind, sa.Enum):
        return str
    raise Misuse(
        f"column {column} is of type {kind!r}: policies compare text, numbers, true and false, and moments"
    )


def condition(found: Expression, who: object, columns: Columns) -> Condition:
    """The expression as SQL, with the principal's attributes put in.

    Args:
        found: The expression.
        who: The principal.
        columns: Of the table that is filtered.

    Raises:
        LookupError: the principal has no such attribute.
        Misuse: the table has no such column, or one that cannot be compared.
    """
    match found:
        case ex.Compare(op, left, right):
            return _compare(op, left, right, who, columns)
        case ex.In(subject, among):
            return _among(subject, [Constant(one) for one in ex.members(among, who)], who, columns)
        case ex.IsMissing(subject):
            column = _column(subject, columns)
            return _constant(ex.resolve(subject, who, None) is None) if column is None else column.is_(None)
        case ex.Both(left, right):
            return sa.and_(condition(left, who, columns), condition(right, who, columns))
        case ex.Either(left, right):
            return sa.or_(condition(left, who, columns), condition(right, who, columns))
        case ex.Not(inner):
            return sa.not_(condition(inner, who, columns))
        case _:
            raise Misuse(f"{found!r} is no expression of this algebra")


def _among(subject: ex.Operand, values: list[Constant], who: object, columns: Columns) -> Condition:
    return sa.or_(sa.false(), *(_compare(Op.EQ, subject, one, who, columns) for one in values))


def _compare(op: Op, left: ex.Operand, right: ex.Operand, who: object, columns: Columns) -> Condition:
    sides = [_column(operand, columns) for operand in (left, right)]
    values = [
        None if column is not None else ex.resolve(operand, who, None)
        for operand, column in zip((left, right), sides, strict=True)
    ]
    one, other = sides
    if one is None and other is None:
        return _constant(ex.compare(op, *values))
    kind = kind_of_column(one if one is not None else other)  # type: ignore[arg-type]  # one of them is there
    elements: list[sa.ColumnElement[Any]] = []
    for column, value in zip(sides, values, strict=True):
        if column is not None:
            if kind_of_column(column) is not kind:
                raise Misuse(f"{one} and {other} are of different kinds and never compare")
            elements.append(column)
        elif ex.kind_of(value) is not kind:
            return unknown()
        else:
            elements.append(_literal(value, one if one is not None else other))
    if kind is str and op in _ORDERINGS:
        elements = [_ByCodePoint(element) for element in elements]
    found: Condition = op(*elements)
    return found


def _column(operand: ex.Operand, columns: Columns) -> sa.ColumnElement[Any] | None:
    return columns(operand.name) if isinstance(operand, Attribute) and operand.side is Side.ROW else None


def _constant(truth: bool | None) -> Condition:
    return unknown() if truth is None else sa.true() if truth else sa.false()


def _literal(value: Any, beside: sa.ColumnElement[Any] | None) -> sa.ColumnElement[Any]:
    """A bound value, of its own type and not of the column's: 1.5 does not fit beside an integer."""
    match value:
        case bool():
            return sa.literal(value, sa.Boolean)
        case int():
            return sa.literal(value, sa.BigInteger)
        case float():
            return sa.literal(value, sa.Double)
        case datetime():
            keeps_zone = beside is not None and getattr(beside.type, "timezone", False)
            moment = ex.in_utc(value)
            return sa.literal(
                moment if keeps_zone else moment.astimezone(UTC).replace(tzinfo=None),
                sa.DateTime(timezone=keeps_zone),
            )
        case _:
            return sa.literal(value, sa.Text)
