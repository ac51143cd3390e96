"""To whom a second opinion is never dealt."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("review_items", sa.Column("not_for", sa.String(length=128), nullable=True))


def downgrade() -> None:
    op.drop_column("review_items", "not_for")
