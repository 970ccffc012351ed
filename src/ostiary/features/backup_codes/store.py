"""Owns the table of backup codes. Used ones stay until all are replaced, with the moment of their use."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.kept.tables import of_table
from ostiary.storage.schema import metadata, moment, number, text
from ostiary.storage.statement import Query, command

backup_code: Final = sa.Table(
    "backup_code",
    metadata,
    text("account_id", sa.ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    number("number", primary_key=True),
    text("hash"),
    moment("created_at"),
    moment("used_at", nullable=True),
)
KEPT: Final = of_table("backup_codes", backup_code, ("number", "created_at", "used_at"))


@dataclass(frozen=True, slots=True)
class SetRow:
    """The codes of an account, together."""

    remaining: int
    created_at: int | None
    last_used_at: int | None


_of_account = backup_code.c.account_id == bindparam("of_account")
_is_unused = backup_code.c.used_at.is_(None)

ADD: Final = command(
    "backup_codes.add",
    sa.insert(backup_code).values({column.name: bindparam(column.name) for column in backup_code.columns}),
)
REMAINING: Final = Query(
    "backup_codes.remaining",
    sa.select(sa.func.count()).select_from(backup_code).where(_of_account, _is_unused),
    int,
)
SET: Final = Query(
    "backup_codes.set",
    sa.select(
        sa.func.count().filter(_is_unused),
        sa.func.min(backup_code.c.created_at),
        sa.func.max(backup_code.c.used_at),
    ).where(_of_account),
    SetRow,
)
HASH: Final = Query(
    "backup_codes.hash",
    sa.select(backup_code.c.hash).where(
        _of_account, backup_code.c.number == bindparam("of_number"), _is_unused
    ),
    str,
)
# Of any number of requests with one code, one marks it.
USE: Final = command(
    "backup_codes.use",
    sa.update(backup_code)
    .where(
        _of_account,
        backup_code.c.number == bindparam("of_number"),
        backup_code.c.hash == bindparam("of_hash"),
        _is_unused,
    )
    .values(used_at=bindparam("now")),
)
CLEAR: Final = command("backup_codes.clear", sa.delete(backup_code).where(_of_account))
