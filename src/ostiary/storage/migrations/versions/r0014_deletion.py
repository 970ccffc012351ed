"""When an account is to be deleted, and which ones are gone."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account", sa.Column("deletion_due_at", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_account_deletion_due_at",
        "account",
        ["deletion_due_at"],
        sqlite_where=sa.text("deletion_due_at IS NOT NULL"),
        postgresql_where=sa.text("deletion_due_at IS NOT NULL"),
    )
    op.create_table(
        "deleted_account",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("clean_at", sa.BigInteger(), nullable=False),
        sa.Column("cleaned_to", sa.Text(), nullable=False),
        sa.Column("is_last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_deleted_account"),
    )
    op.create_index("ix_deleted_account_clean_at", "deleted_account", ["clean_at"])
