"""Owns the table of granted roles."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.dialects.postgresql import insert

from ostiary.storage.schema import metadata, moment, text
from ostiary.storage.statement import Query, command

role_grant: Final = sa.Table(
    "role_grant",
    metadata,
    text("account_id", sa.ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    text("role", primary_key=True),
    moment("granted_at"),
    text("granted_by"),
    sa.Index("ix_role_grant_role", "role"),
)

ADD: Final = command(
    "access.grant",
    insert(role_grant)
    .values({c.name: bindparam(c.name) for c in role_grant.columns})
    .on_conflict_do_nothing(),
)
ROLES: Final = Query(
    "access.roles",
    sa.select(role_grant.c.role)
    .where(role_grant.c.account_id == bindparam("account_id"))
    .order_by(role_grant.c.role),
    str,
)
HOLDER: Final = Query(
    "access.holder",
    sa.select(role_grant.c.account_id).where(role_grant.c.role == bindparam("role")).limit(1),
    str,
)
