"""Items that look like another kind to who reviews them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("review_items", sa.Column("shown_as", sa.String(length=16), nullable=True))


def downgrade() -> None:
    op.drop_column("review_items", "shown_as")
