"""Owns the table of accounts that take a code by mail as their second step."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert

from ostiary.core.kept.tables import of_table
from ostiary.storage.schema import metadata, moment, text
from ostiary.storage.statement import Query, command

email_code: Final = sa.Table(
    "email_code",
    metadata,
    text("account_id", sa.ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    moment("created_at"),
    moment("last_used_at", nullable=True),
)
KEPT: Final = of_table("email_code", email_code, ("created_at", "last_used_at"), is_one=True)


@dataclass(frozen=True, slots=True)
class EmailCodeRow:
    """Since when, and when last."""

    created_at: int
    last_used_at: int | None


_of_account = email_code.c.account_id == bindparam("of_account")

FIND: Final = Query(
    "email_code.find",
    sa.select(email_code.c.created_at, email_code.c.last_used_at).where(_of_account),
    EmailCodeRow,
)
ADD: Final = command(
    "email_code.add",
    insert(email_code)
    .values(account_id=bindparam("account_id"), created_at=bindparam("now"), last_used_at=None)
    .on_conflict_do_nothing(),
)
USE: Final = command(
    "email_code.use", sa.update(email_code).where(_of_account).values(last_used_at=bindparam("now"))
)
REMOVE: Final = command("email_code.remove", sa.delete(email_code).where(_of_account))
