"""Held cases are found by who holds them: until when is in no index, so that holding on writes no index at all."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_HELD = sa.text("state = 'waiting' AND claimed_by IS NOT NULL")
_HELD_UNTIL = sa.text("state = 'waiting' AND claimed_until IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_review_items_held", "review_items", ["claimed_by"], postgresql_where=_HELD, sqlite_where=_HELD
    )
    op.drop_index("ix_review_items_claimed_until", table_name="review_items")


def downgrade() -> None:
    op.create_index(
        "ix_review_items_claimed_until",
        "review_items",
        ["claimed_until"],
        postgresql_where=_HELD_UNTIL,
        sqlite_where=_HELD_UNTIL,
    )
    op.drop_index("ix_review_items_held", table_name="review_items")
