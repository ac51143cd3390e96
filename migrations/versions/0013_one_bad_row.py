"""Reviews that could not go their way, and those that do not know when their time is over."""

import sqlalchemy as sa
from alembic import op

from kit.dialects import UtcTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_INDEX = "ix_review_items_waiting_without_end"


def upgrade() -> None:
    op.create_table(
        "review_troubles",
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.String(length=16), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.Column("next_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_review_troubles")),
    )
    without_end = sa.text("state = 'waiting' AND escalates_at IS NULL AND expires_at IS NULL")
    op.create_index(_INDEX, "review_items", ["id"], postgresql_where=without_end, sqlite_where=without_end)


def downgrade() -> None:
    op.drop_index(_INDEX, table_name="review_items")
    op.drop_table("review_troubles")
