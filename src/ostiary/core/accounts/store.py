"""Owns the tables of accounts, identifiers and password hashes."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert

from ostiary.storage.schema import flag, metadata, moment, number, text
from ostiary.storage.statement import Query, command

_IS_LEAVING: Final = sa.text("deletion_due_at IS NOT NULL")

account: Final = sa.Table(
    "account",
    metadata,
    text("id", primary_key=True),
    text("status"),
    text("name"),
    text("profile"),
    number("security_epoch"),
    number("authorization_version", nullable=True),  # none: its rights have never been changed
    moment("created_at"),
    moment("updated_at"),
    text("locale", nullable=True),  # BCP 47; in which mails to its owner are written
    moment("deletion_due_at", nullable=True),  # when it will be deleted, unless somebody signs in before
    text("kind", nullable=True),  # "service"; none: a person
    sa.Index(
        "ix_account_deletion_due_at",
        "deletion_due_at",
        sqlite_where=_IS_LEAVING,
        postgresql_where=_IS_LEAVING,
    ),
)
identifier: Final = sa.Table(
    "identifier",
    metadata,
    text("kind", primary_key=True),
    text("normal", primary_key=True),
    text("shown"),
    text("account_id", sa.ForeignKey("account.id", ondelete="CASCADE")),
    flag("is_primary"),
    moment("verified_at", nullable=True),
    moment("created_at"),
    sa.Index("ix_identifier_account_id", "account_id"),
)
password: Final = sa.Table(
    "password",
    metadata,
    text("account_id", sa.ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    text("hash"),
    moment("set_at"),
    moment("disabled_at", nullable=True),
)


@dataclass(frozen=True, slots=True)
class Found:
    """An account as found by an identifier, with all that judging a sign-in needs."""

    account_id: str
    status: str
    security_epoch: int
    verified_at: int | None
    password_hash: str | None
    password_disabled_at: int | None


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """Who has an address, under which spelling, whether it is proven, and which language he reads ("": unknown)."""

    account_id: str
    shown: str
    verified_at: int | None
    password_hash: str | None
    locale: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where an account's owner gets mail, and in which language ("": unknown)."""

    address: str
    locale: str


@dataclass(frozen=True, slots=True)
class PasswordRow:
    """An account's password as it is now."""

    hash: str
    disabled_at: int | None


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account with its primary address; when it will be deleted and its kind only where its row was locked."""

    id: str
    status: str
    name: str
    security_epoch: int
    created_at: int
    email: str | None
    email_verified_at: int | None
    deletion_due_at: int | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """An account's name and profile; `profile` is a JSON object as text."""

    name: str
    profile: str


_locale = sa.func.coalesce(account.c.locale, "")
_primary = identifier.alias("primary_email")
# What `AccountRow` begins with, for whoever reads an account beside something of its own.
account_columns: Final = (
    account.c.id,
    account.c.status,
    account.c.name,
    account.c.security_epoch,
    account.c.created_at,
    _primary.c.shown,
    _primary.c.verified_at,
)


def with_primary(accounts: sa.FromClause) -> sa.FromClause:
    """The table of accounts, alone or in a join, with the primary address of each: what `account_columns` needs."""
    return accounts.outerjoin(
        _primary,
        sa.and_(
            _primary.c.account_id == account.c.id, _primary.c.kind == "email", _primary.c.is_primary == 1
        ),
    )


found_columns: Final = (
    account.c.id,
    account.c.status,
    account.c.security_epoch,
    identifier.c.verified_at,
    password.c.hash,
    password.c.disabled_at,
)
FIND: Final = Query(
    "accounts.find",
    sa.select(*found_columns)
    .select_from(identifier.join(account).outerjoin(password, password.c.account_id == account.c.id))
    .where(identifier.c.kind == bindparam("kind"), identifier.c.normal == bindparam("normal")),
    Found,
)
# Taking the row's lock puts concurrent sign-ins of one account in a line: limits per account then hold.
LOCK: Final = Query(
    "accounts.lock",
    sa.select(*account_columns, account.c.deletion_due_at, account.c.kind)
    .select_from(with_primary(account))
    .where(account.c.id == bindparam("id"))
    .with_for_update(of=account),
    AccountRow,
)
ADD_UNLESS_KNOWN: Final = command(
    "accounts.add_unless_known",
    sa.insert(account).from_select(
        ["id", "status", "name", "profile", "security_epoch", "created_at", "updated_at", "locale"],
        sa.select(
            bindparam("id", type_=sa.Text),
            sa.literal("active", sa.Text),
            bindparam("name", type_=sa.Text),
            sa.literal("{}", sa.Text),
            sa.literal(1, sa.BigInteger),
            bindparam("now", type_=sa.BigInteger),
            bindparam("now", type_=sa.BigInteger),
            bindparam("locale", type_=sa.Text),
        ).where(
            ~sa.exists().where(
                identifier.c.kind == bindparam("kind"), identifier.c.normal == bindparam("normal")
            )
        ),
    ),
)
ADD_IDENTIFIER: Final = command(
    "accounts.add_identifier",
    insert(identifier)
    .from_select(
        ["kind", "normal", "shown", "account_id", "is_primary", "verified_at", "created_at"],
        sa.select(
            bindparam("kind", type_=sa.Text),
            bindparam("normal", type_=sa.Text),
            bindparam("shown", type_=sa.Text),
            account.c.id,
            sa.literal(1, sa.Integer),
            sa.null(),
            bindparam("now", type_=sa.BigInteger),
        ).where(account.c.id == bindparam("account_id", type_=sa.Text)),
    )
    .on_conflict_do_nothing(),
)
OWNER: Final = Query(
    "accounts.owner",
    sa.select(identifier.c.account_id, identifier.c.shown, identifier.c.verified_at, password.c.hash, _locale)
    .select_from(
        identifier.join(account).outerjoin(password, password.c.account_id == identifier.c.account_id)
    )
    .where(identifier.c.kind == bindparam("kind"), identifier.c.normal == bindparam("normal")),
    OwnerRow,
)
# An empty hash stands for none.
ADD_PASSWORD: Final = command(
    "accounts.add_password",
    insert(password)
    .from_select(
        ["account_id", "hash", "set_at", "disabled_at"],
        sa.select(
            account.c.id,
            bindparam("hash", type_=sa.Text),
            bindparam("now", type_=sa.BigInteger),
            sa.null(),
        ).where(
            account.c.id == bindparam("account_id", type_=sa.Text), bindparam("hash", type_=sa.Text) != ""
        ),
    )
    .on_conflict_do_nothing(),
)
SET_PASSWORD: Final = command(
    "accounts.set_password",
    insert(password)
    .values(
        account_id=bindparam("account_id"), hash=bindparam("hash"), set_at=bindparam("now"), disabled_at=None
    )
    .on_conflict_do_update(
        index_elements=[password.c.account_id],
        set_={
            "hash": bindparam("hash", type_=sa.Text),
            "set_at": bindparam("now", type_=sa.BigInteger),
            "disabled_at": sa.null(),
        },
    ),
)
# Whatever was begun at an older epoch counts for nothing.
RAISE_EPOCH: Final = command(
    "accounts.raise_epoch",
    sa.update(account)
    .where(account.c.id == bindparam("of_account"))
    .values(updated_at=bindparam("now"), security_epoch=account.c.security_epoch + 1),
)
RAISE_VERSION: Final = Query(
    "accounts.raise_version",
    sa.update(account)
    .where(account.c.id == bindparam("of_account"))
    .values(authorization_version=sa.func.coalesce(account.c.authorization_version, 0) + 1)
    .returning(account.c.authorization_version),
    int,
)
DROP_PASSWORD: Final = command(
    "accounts.drop_password", sa.delete(password).where(password.c.account_id == bindparam("of_account"))
)
PASSWORD: Final = Query(
    "accounts.password",
    sa.select(password.c.hash, password.c.disabled_at).where(
        password.c.account_id == bindparam("account_id")
    ),
    PasswordRow,
)
REHASH: Final = command(
    "accounts.rehash",
    sa.update(password)
    .where(password.c.account_id == bindparam("of_account"), password.c.hash == bindparam("old_hash"))
    .values(hash=bindparam("new_hash")),
)
DISABLE_PASSWORD: Final = command(
    "accounts.disable_password",
    sa.update(password)
    .where(password.c.account_id == bindparam("of_account"), password.c.disabled_at.is_(None))
    .values(disabled_at=bindparam("now")),
)
ENABLE_PASSWORD: Final = command(
    "accounts.enable_password",
    sa.update(password).where(password.c.account_id == bindparam("of_account")).values(disabled_at=sa.null()),
)
VERIFY: Final = command(
    "accounts.verify",
    sa.update(identifier)
    .where(
        identifier.c.kind == bindparam("of_kind"),
        identifier.c.normal == bindparam("of_normal"),
        identifier.c.account_id == bindparam("of_account"),
        identifier.c.verified_at.is_(None),
    )
    .values(verified_at=bindparam("now"), shown=bindparam("new_shown")),
)
RECIPIENTS: Final = Query(
    "accounts.recipients",
    sa.select(identifier.c.shown, _locale)
    .select_from(identifier.join(account))
    .where(
        identifier.c.account_id == bindparam("account_id"),
        identifier.c.kind == "email",
        identifier.c.verified_at.is_not(None),
    )
    .order_by(identifier.c.is_primary.desc(), identifier.c.created_at),
    Recipient,
)
PROFILE: Final = Query(
    "accounts.profile",
    sa.select(account.c.name, account.c.profile).where(account.c.id == bindparam("id")),
    ProfileRow,
)
SAVE_PROFILE: Final = command(
    "accounts.save_profile",
    sa.update(account)
    .where(account.c.id == bindparam("of_account"))
    .values(name=bindparam("new_name"), profile=bindparam("new_profile"), updated_at=bindparam("now")),
)
SET_STATUS: Final = command(
    "accounts.set_status",
    sa.update(account)
    .where(account.c.id == bindparam("of_account"))
    .values(
        status=bindparam("new_status"),
        updated_at=bindparam("now"),
        security_epoch=account.c.security_epoch + 1,
    ),
)
