"""Owns the table of alerts that were held back, since there were too many."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert

from ostiary.storage.schema import metadata, moment, number, text
from ostiary.storage.statement import Query, command

alert_held: Final = sa.Table(
    "alert_held",
    metadata,
    text("account_id", sa.ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    moment("since", index=True),  # the first that was held back
    number("count"),
)


@dataclass(frozen=True, slots=True)
class Held:
    """How many were held back, and since when."""

    since: int
    count: int


HOLD: Final = command(
    "alerts.hold",
    insert(alert_held)
    .values(account_id=bindparam("account_id"), since=bindparam("since"), count=sa.literal(1, sa.BigInteger))
    .on_conflict_do_update(index_elements=[alert_held.c.account_id], set_={"count": alert_held.c.count + 1}),
)
DUE: Final = Query(
    "alerts.due",
    sa.select(alert_held.c.account_id)
    .where(alert_held.c.since <= bindparam("before"))
    .order_by(alert_held.c.since)
    .limit(bindparam("most", type_=sa.Integer)),
    str,
)
# Of any number of workers one gets the row.
TAKE: Final = Query(
    "alerts.take",
    sa.delete(alert_held)
    .where(alert_held.c.account_id == bindparam("of_account"), alert_held.c.since <= bindparam("before"))
    .returning(alert_held.c.since, alert_held.c.count),
    Held,
)
