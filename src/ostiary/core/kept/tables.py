"""Owns `of_table`: telling an owner of the rows that a table holds about an account, by naming the columns."""

from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.wiring import Core, Kept
from ostiary.kernel.errors import Misuse
from ostiary.kernel.world import from_micros
from ostiary.storage.statement import Query

Row = Mapping[str, Any]

_PART: Final = 500


def of_table(
    name: str,
    table: sa.Table,
    columns: Collection[str],
    *,
    of_account: sa.Column[str] | None = None,
    documents: Collection[str] = (),
    named: Mapping[str, str] = {},
    is_one: bool = False,
    in_parts: bool = False,
) -> Kept:
    """The rows that a table holds about an account.

    Columns whose names end in `_at`, `since` and `until` are told as moments, those that begin with `is_` as yes or no.

    Args:
        name: Of the member of the document.
        table: Declared in the caller's store.
        columns: What the owner is told; never a secret, its hash or its sealed form.
        of_account: The column that holds the account's id, unless it is `account_id`; of a table that this one
            refers to, when it has none itself.
        documents: Those of the columns that hold JSON as text.
        named: Other names than the columns' own.
        is_one: There is at most one row.
        in_parts: There may be thousands, so they are read bit by bit; needs `id` among the columns, ordered by time.

    Raises:
        Misuse: a column that is read in parts has no `id`.
    """
    if in_parts and "id" not in columns:
        raise Misuse(f"what {name!r} tells is read in parts, so `id` must be among its columns")
    owner = table.c.account_id if of_account is None else of_account
    asked = sa.select(*(table.c[column] for column in columns)).where(owner == bindparam("account_id"))
    if owner.table is not table:
        asked = asked.select_from(table.join(owner.table))
    if in_parts:
        asked = asked.where(table.c.id > bindparam("after")).order_by(table.c.id)
        asked = asked.limit(bindparam("limit", type_=sa.Integer))
    else:
        asked = asked.order_by(*table.primary_key.columns)

    def told(*values: Any) -> Row:
        return {
            named.get(column, column): _told(column, value, column in documents)
            for column, value in zip(columns, values, strict=True)
        }

    query = Query(f"kept.{name}", asked, told, scan=True)

    async def read(core: Core, account_id: str) -> AsyncIterator[Row]:
        after = ""
        while True:
            rows = await core.database.all(query, account_id=account_id, after=after, limit=_PART)
            for row in rows:
                yield row
            if not in_parts or len(rows) < _PART:
                return
            after = rows[-1]["id"]

    return Kept(name, (table.name,), read, is_one)


def _told(column: str, value: Any, is_document: bool) -> Any:
    if value is None:
        return None
    if is_document:
        return orjson.loads(value)
    if column.endswith("_at") or column in ("since", "until"):
        return from_micros(value)
    return bool(value) if column.startswith("is_") else value
