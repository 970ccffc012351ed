"""In which language somebody reads mails: of an account, and of a registration that waits."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account", sa.Column("locale", sa.Text(), nullable=True))
    op.add_column("address_claim", sa.Column("locale", sa.Text(), nullable=True))
