"""Owns the statements that delete accounts, and the table of those that are gone but still have a journal to clean."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.accounts.store import account
from ostiary.core.journal.store import journal
from ostiary.storage.schema import flag, metadata, moment, text
from ostiary.storage.statement import Query, command

deleted_account: Final = sa.Table(
    "deleted_account",
    metadata,
    text("account_id", primary_key=True),  # of an account that is gone, so nothing is referred to
    moment("clean_at", index=True),
    text("cleaned_to"),  # id of the last row of the journal that was cleaned
    flag("is_last"),  # whether the next time is the last
)


@dataclass(frozen=True, slots=True)
class Gone:
    """An account whose journal is to be cleaned."""

    account_id: str
    cleaned_to: str
    is_last: int


_is_this: Final = account.c.id == bindparam("of_account")
_is_gone: Final = deleted_account.c.account_id == bindparam("of_account")

MARK: Final = command(
    "deletion.mark",
    sa.update(account)
    .where(_is_this)
    .values(
        deletion_due_at=bindparam("new_due_at"),
        updated_at=bindparam("now"),
        security_epoch=account.c.security_epoch + 1,  # whatever sign-in is under way must not undo it
    ),
)
UNMARK: Final = command(
    "deletion.unmark",
    sa.update(account).where(_is_this).values(deletion_due_at=sa.null(), updated_at=bindparam("now")),
)
DUE: Final = Query(
    "deletion.due",
    sa.select(account.c.id)
    .where(account.c.deletion_due_at <= bindparam("now"))
    .order_by(account.c.deletion_due_at)
    .limit(bindparam("limit", type_=sa.Integer)),
    str,
)
PUT_OFF: Final = command(
    "deletion.put_off",
    sa.update(account)
    .where(_is_this, account.c.deletion_due_at <= bindparam("now"))
    .values(deletion_due_at=bindparam("later")),
)
# Everything else that belongs to it goes with it, by its foreign keys.
DELETE: Final = command("deletion.delete", sa.delete(account).where(_is_this))
NOTE: Final = command(
    "deletion.note",
    sa.insert(deleted_account).values({c.name: bindparam(c.name) for c in deleted_account.columns}),
)
TO_CLEAN: Final = Query(
    "deletion.to_clean",
    sa.select(deleted_account.c.account_id, deleted_account.c.cleaned_to, deleted_account.c.is_last)
    .where(deleted_account.c.clean_at <= bindparam("now"))
    .order_by(deleted_account.c.clean_at)
    .limit(bindparam("limit", type_=sa.Integer)),
    Gone,
)
_rows_after: Final = (journal.c.account_id == bindparam("of_account"), journal.c.id > bindparam("after"))
NEXT_ROWS: Final = Query(
    "deletion.next_rows",
    sa.select(journal.c.id)
    .where(*_rows_after)
    .order_by(journal.c.id)
    .limit(bindparam("limit", type_=sa.Integer)),
    str,
    scan=True,
)
CLEAN: Final = command(
    "deletion.clean",
    sa.update(journal)
    .where(*_rows_after, journal.c.id <= bindparam("to"))
    .values(ip="", user_agent="", data="{}"),
    scan=True,
)
CLEANED: Final = command(
    "deletion.cleaned",
    sa.update(deleted_account)
    .where(_is_gone)
    .values(
        cleaned_to=bindparam("new_cleaned_to"),
        clean_at=bindparam("new_clean_at"),
        is_last=bindparam("new_is_last"),
    ),
)
FORGET: Final = command("deletion.forget", sa.delete(deleted_account).where(_is_gone))
