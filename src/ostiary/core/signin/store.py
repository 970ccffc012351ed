"""Owns the table of accounts that a second factor was required of, and since when."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert

from ostiary.storage.schema import metadata, moment, text
from ostiary.storage.statement import Query, command

factor_requirement: Final = sa.Table(
    "factor_requirement",
    metadata,
    text("account_id", sa.ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    moment("since"),  # the first sign-in at which it was required; the grace is counted from here
)

SINCE: Final = Query(
    "signin.factor_required_since",
    sa.select(factor_requirement.c.since).where(factor_requirement.c.account_id == bindparam("of_account")),
    int,
)
NOTE: Final = command(
    "signin.note_factor_requirement",
    insert(factor_requirement)
    .values(account_id=bindparam("account_id"), since=bindparam("since"))
    .on_conflict_do_nothing(),
)
