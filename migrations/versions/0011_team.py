"""Indexes for what ended when, and for the gold answers of one reviewer."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ENDED = sa.text("ended_at IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_review_items_ended_at", "review_items", ["ended_at"], postgresql_where=_ENDED, sqlite_where=_ENDED
    )
    op.create_index(op.f("ix_gold_answers_reviewer_at"), "gold_answers", ["reviewer", "at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_gold_answers_reviewer_at"), table_name="gold_answers")
    op.drop_index("ix_review_items_ended_at", table_name="review_items")
