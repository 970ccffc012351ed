"""Keys of the ring take over at a moment of their own and name the root secret that sealed them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("keyring", sa.Column("active_at", sa.BigInteger(), nullable=True))
    op.add_column("keyring", sa.Column("root", sa.Text(), nullable=True))
    op.create_table(
        "keyring_state",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("canary", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_keyring_state"),
    )
