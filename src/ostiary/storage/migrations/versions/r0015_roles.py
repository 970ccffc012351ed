"""Roles have scopes and may end; roles can be defined in the database."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The scope belongs to the primary key, which SQLite cannot change in place.
    op.execute(
        "CREATE TABLE role_grant_before AS SELECT account_id, role, granted_at, granted_by FROM role_grant"
    )
    op.drop_table("role_grant")
    op.create_table(
        "role_grant",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("granted_at", sa.BigInteger(), nullable=False),
        sa.Column("granted_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name="fk_role_grant_account_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "role", "scope", name="pk_role_grant"),
    )
    op.create_index("ix_role_grant_role", "role_grant", ["role"])
    op.execute(
        "INSERT INTO role_grant (account_id, role, scope, granted_at, granted_by)"
        " SELECT account_id, role, '', granted_at, granted_by FROM role_grant_before"
    )
    op.drop_table("role_grant_before")
    op.create_table(
        "role",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("grants", sa.Text(), nullable=False),
        sa.Column("inherits", sa.Text(), nullable=False),
        sa.Column("doc", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_role"),
    )
    op.create_table(
        "role_book",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_role_book"),
    )
