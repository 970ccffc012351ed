"""Owns `Query`: a named SQLAlchemy Core statement, compiled once per dialect into SQL and an order of arguments.

It refuses statements that need work at execution time (expanding ``IN``, Python-side defaults, result processing),
because the executor hands arguments straight to the driver.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.sql.base import Executable

from ostiary.kernel.errors import Misuse

T_co = TypeVar("T_co", covariant=True)

DIALECTS: Final[dict[str, sa.Dialect]] = {
    # The asyncpg dialect writes every argument with its type ($1::TEXT), so the server never has to guess.
    "postgresql": asyncpg.dialect(),  # type: ignore[no-untyped-call]
    "sqlite": sqlite.dialect(paramstyle="qmark"),
}
_PLAIN: Final = (sa.Text, sa.String, sa.BigInteger, sa.Integer, sa.LargeBinary, sa.types.NullType, sa.Boolean)

ALL: Final[dict[str, "Query[Any]"]] = {}


@dataclass(frozen=True, slots=True)
class Compiled:
    """SQL text and, for each placeholder, the argument's name or a constant."""

    sql: str
    slots: tuple[tuple[str | None, Any], ...]

    def arguments(self, given: Mapping[str, Any]) -> list[Any]:
        """The values in placeholder order; a missing one is a `KeyError`, since it is a defect."""
        return [constant if name is None else given[name] for name, constant in self.slots]


class Query(Generic[T_co]):
    """One statement with a name for traces, counts and error messages.

    Args:
        name: ``module.verb``, unique.
        clause: The statement; every value from outside is a `bindparam`.
        into: Makes the result out of the columns of a row, in order.
        scan: It may touch many rows, so SQLite runs it off the event loop.
    """

    __slots__ = ("_compiled", "clause", "into", "name", "scan")

    def __init__(
        self, name: str, clause: Executable, into: Callable[..., T_co] | None = None, *, scan: bool = False
    ) -> None:
        if name in ALL:
            raise Misuse(f"two statements are named {name!r}")
        self.name = name
        self.clause = clause
        self.into = into
        self.scan = scan
        self._compiled: dict[str, Compiled] = {}
        ALL[name] = self

    def on(self, dialect: str) -> Compiled:
        """The statement in a dialect, compiled at first use."""
        found = self._compiled.get(dialect)
        if found is None:
            found = self._compiled[dialect] = _compile(self.name, self.clause, dialect)
        return found

    def row(self, columns: Any) -> T_co:
        """The result for one row of the driver."""
        if self.into is None:
            raise Misuse(f"statement {self.name!r} returns no rows")
        return self.into(*columns)


def command(name: str, clause: Executable, *, scan: bool = False) -> Query[None]:
    """A statement that returns no rows, only how many it touched."""
    return Query(name, clause, None, scan=scan)


def _compile(name: str, clause: Executable, dialect: str) -> Compiled:
    made: Any = clause.compile(dialect=DIALECTS[dialect])  # type: ignore[attr-defined]
    if made.post_compile_params or made.literal_execute_params:
        raise Misuse(
            f"statement {name!r} needs work at execution time (expanding IN?); give it a fixed shape"
        )
    if any((made.insert_prefetch, made.update_prefetch)):
        raise Misuse(f"statement {name!r} uses a Python-side default; pass the value")
    slots: list[tuple[str | None, Any]] = []
    for position in made.positiontup:
        bind = made.binds[position]
        if not isinstance(bind.type, _PLAIN):
            raise Misuse(
                f"statement {name!r}: argument {position!r} has a type that is not plain on both databases"
            )
        slots.append((position, None) if bind.required else (None, bind.effective_value))
    return Compiled(made.string, tuple(slots))


def compile_all(dialect: str) -> int:
    """Compile every declared statement, so that a mistake stops the start and not a request.

    Returns:
        How many there are.
    """
    for query in ALL.values():
        query.on(dialect)
    return len(ALL)
