"""What is made while registering."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("address_claim", sa.Column("enclosed", sa.Text(), nullable=True))
