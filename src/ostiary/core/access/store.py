"""Owns the tables of granted roles, and of roles that are defined in the database."""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert

from ostiary.storage.schema import metadata, moment, number, text
from ostiary.storage.statement import Query, command

role_grant: Final = sa.Table(
    "role_grant",
    metadata,
    text("account_id", sa.ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    text("role", primary_key=True),
    text("scope", primary_key=True),
    moment("until", nullable=True),
    moment("granted_at"),
    text("granted_by"),
    sa.Index("ix_role_grant_role", "role"),
)
role: Final = sa.Table(
    "role",
    metadata,
    text("name", primary_key=True),
    text("grants"),
    text("inherits"),
    text("doc"),
    moment("updated_at"),
)
# One row, or none while nothing was ever defined. Every process compares its number at each question, so a role that
# was changed counts at the next one.
role_book: Final = sa.Table("role_book", metadata, number("id", primary_key=True), number("version"))


@dataclass(frozen=True, slots=True)
class RoleRow:
    """A role as stored; grants and inherited roles one per line."""

    name: str
    grants: str
    inherits: str
    doc: str


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A grant of an account beside the number of the book; `role` is None where there is none."""

    version: int
    role: str | None
    scope: str | None
    until: int | None


_same: Final = (
    role_grant.c.account_id == bindparam("of_account"),
    role_grant.c.role == bindparam("of_role"),
    role_grant.c.scope == bindparam("of_scope"),
)
_added: Final = insert(role_grant).values({c.name: bindparam(c.name) for c in role_grant.columns})
ADD: Final = command(
    "access.grant",
    _added.on_conflict_do_update(
        index_elements=[role_grant.c.account_id, role_grant.c.role, role_grant.c.scope],
        set_={name: _added.excluded[name] for name in ("until", "granted_at", "granted_by")},
        # Granting what is held already is no change.
        where=sa.func.coalesce(role_grant.c.until, -1) != sa.func.coalesce(_added.excluded.until, -1),
    ),
)
REMOVE: Final = command("access.revoke", sa.delete(role_grant).where(*_same))
_version: Final = sa.func.coalesce(
    sa.select(role_book.c.version).where(role_book.c.id == 1).scalar_subquery(), 0
)
# Begins at a row made of a constant, so that the number is there also for whoever holds nothing.
_one_row: Final = sa.select(sa.literal(1, sa.Integer).label("n")).subquery("one_row")
HELD: Final = Query(
    "access.held",
    sa.select(_version, role_grant.c.role, role_grant.c.scope, role_grant.c.until).select_from(
        _one_row.outerjoin(role_grant, role_grant.c.account_id == bindparam("account_id"))
    ),
    HeldRow,
)
HOLDER: Final = Query(
    "access.holder",
    sa.select(role_grant.c.account_id)
    .where(
        role_grant.c.role == bindparam("role"),
        role_grant.c.scope == "",
        sa.or_(role_grant.c.until.is_(None), role_grant.c.until > bindparam("now")),
    )
    .limit(1),
    str,
)
HOLD_HOLDERS: Final = Query(
    "access.hold_holders",
    sa.select(role_grant.c.account_id)
    .where(
        role_grant.c.role == bindparam("role"),
        role_grant.c.scope == "",
        sa.or_(role_grant.c.until.is_(None), role_grant.c.until > bindparam("now")),
    )
    .order_by(role_grant.c.account_id)
    .with_for_update(),
    str,
)
DEFINED: Final = Query(
    "access.defined", sa.select(role.c.name, role.c.grants, role.c.inherits, role.c.doc), RoleRow
)
VERSION: Final = Query("access.version", sa.select(_version), int)
# Whoever changes the book holds its one row, so two changes never judge the same state of it.
TURN: Final = command(
    "access.turn",
    insert(role_book)
    .values(id=bindparam("of_book"), version=1)
    .on_conflict_do_update(index_elements=[role_book.c.id], set_={"version": role_book.c.version + 1}),
)
_defined: Final = insert(role).values({c.name: bindparam(c.name) for c in role.columns})
DEFINE: Final = command(
    "access.define",
    _defined.on_conflict_do_update(
        index_elements=[role.c.name],
        set_={name: _defined.excluded[name] for name in ("grants", "inherits", "doc", "updated_at")},
    ),
)
DROP: Final = command("access.drop", sa.delete(role).where(role.c.name == bindparam("of_name")))
