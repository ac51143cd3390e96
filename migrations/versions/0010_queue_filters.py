"""Every way to narrow the queue has an index: a kind, a segment (also none), a case."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TURN = ["level", sa.text("priority DESC"), "due_at", "id"]
_WAITING = "state = 'waiting'"


def upgrade() -> None:
    op.drop_index("ix_review_items_waiting_in_segment", table_name="review_items")
    op.drop_index("ix_review_items_waiting_of_rollout", table_name="review_items")
    _index("ix_review_items_waiting_in_segment", ["agent", "segment", *_TURN], _WAITING)
    _index("ix_review_items_waiting_of_kind", [sa.text("coalesce(shown_as, kind)"), "rollout_id", *_TURN], _WAITING)
    _index("ix_review_items_waiting_case_id", ["case_id"], _WAITING)


def _index(name: str, columns: list[str | sa.TextClause], where: str) -> None:
    op.create_index(name, "review_items", columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))


def downgrade() -> None:
    for index in ("in_segment", "of_kind", "case_id"):
        op.drop_index(f"ix_review_items_waiting_{index}", table_name="review_items")
    _index("ix_review_items_waiting_in_segment", ["agent", "segment", *_TURN], f"{_WAITING} AND segment <> ''")
    _index("ix_review_items_waiting_of_rollout", ["rollout_id"], f"{_WAITING} AND kind = 'review'")
