"""Addresses that accounts want to add, until they are proven."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "email_wish",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("normal", sa.Text(), nullable=False),
        sa.Column("shown", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "normal", name="pk_email_wish"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name="fk_email_wish_account_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_email_wish_expires_at", "email_wish", ["expires_at"])
