"""Owns what the account's pages read: recent sign-ins from the journal, and since when there is a password."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam

from ostiary.core.accounts.store import password
from ostiary.core.journal.store import journal
from ostiary.core.signin.door import SIGNED_IN
from ostiary.storage.statement import Query


@dataclass(frozen=True, slots=True)
class SignInRow:
    """A row of the journal about a sign-in; `data` is a JSON object as text."""

    at: int
    ip: str
    user_agent: str
    data: str


@dataclass(frozen=True, slots=True)
class PasswordRow:
    """What the owner may know of a password: since when, and whether it is disabled."""

    set_at: int
    disabled_at: int | None


# Looks no further back than this: whoever makes sign-ins fail must not make the owner's pages slow.
_latest = (
    sa.select(journal)
    .where(journal.c.account_id == bindparam("account_id"))
    .order_by(journal.c.id.desc())
    .limit(sa.literal(1000, sa.Integer))
    .subquery("chosen")
)
SIGN_INS: Final = Query(
    "account.sign_ins",
    sa.select(_latest.c.at, _latest.c.ip, _latest.c.user_agent, _latest.c.data)
    .where(_latest.c.type == bindparam("type", SIGNED_IN.name, type_=sa.Text))
    .order_by(_latest.c.id.desc())
    .limit(bindparam("limit", type_=sa.Integer)),
    SignInRow,
    scan=True,
)
PASSWORD: Final = Query(
    "account.password",
    sa.select(password.c.set_at, password.c.disabled_at).where(
        password.c.account_id == bindparam("account_id")
    ),
    PasswordRow,
)
