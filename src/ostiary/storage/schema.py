"""Owns the one `MetaData` and the few column kinds that mean the same on both databases.

TEXT ids, BIGINT microseconds, bytes, INTEGER and JSON as TEXT: no server-side types, defaults or clocks.
"""

from typing import Any, Final

import sqlalchemy as sa

VERSION_TABLE: Final = "ostiary_schema"

metadata: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def text(name: str, *args: Any, nullable: bool = False, **kwargs: Any) -> sa.Column[str]:
    """Text of any length; ids and JSON documents too."""
    return sa.Column(name, sa.Text, *args, nullable=nullable, **kwargs)


def moment(name: str, *, nullable: bool = False, **kwargs: Any) -> sa.Column[int]:
    """UTC microseconds since 1970."""
    return sa.Column(name, sa.BigInteger, nullable=nullable, **kwargs)


def number(name: str, *, nullable: bool = False, **kwargs: Any) -> sa.Column[int]:
    """A whole number of 64 bits; durations are microseconds."""
    return sa.Column(name, sa.BigInteger, nullable=nullable, **kwargs)


def flag(name: str) -> sa.Column[int]:
    """0 or 1."""
    return sa.Column(name, sa.Integer, nullable=False)


def blob(name: str, *args: Any, nullable: bool = False, **kwargs: Any) -> sa.Column[bytes]:
    """Raw bytes: hashes and sealed values."""
    return sa.Column(name, sa.LargeBinary, *args, nullable=nullable, **kwargs)
