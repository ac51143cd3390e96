"""Rulings can be undone for a while, the next cases are held ahead, and half of the time is the first line's."""

import sqlalchemy as sa
from alembic import op

from kit.dialects import UtcTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("review_items", sa.Column("escalates_at", UtcTime(), nullable=True))
    op.add_column("review_items", sa.Column("ahead", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("review_items", sa.Column("concludes_at", UtcTime(), nullable=True))
    # What waits now was promised its whole time in the first line.
    op.execute("UPDATE review_items SET escalates_at = due_at WHERE state = 'waiting' AND level = 1")
    op.drop_index("ix_review_items_waiting_due_at", table_name="review_items")
    _index("ix_review_items_concludes_at", ["concludes_at"], "concludes_at IS NOT NULL")
    _index("ix_review_items_waiting_escalates_at", ["escalates_at"], "state = 'waiting' AND escalates_at IS NOT NULL")
    _index(
        "ix_review_items_waiting_in_segment",
        ["agent", "segment", "level", sa.text("priority DESC"), "due_at", "id"],
        "state = 'waiting' AND segment <> ''",
    )
    op.add_column("rulings", sa.Column("verdict", sa.String(length=16), nullable=True))
    op.add_column("rulings", sa.Column("severity", sa.String(length=16), nullable=True))
    op.add_column("rulings", sa.Column("undone_at", UtcTime(), nullable=True))
    op.create_index(
        "ix_rulings_standing",
        "rulings",
        ["item_id"],
        unique=True,
        postgresql_where=sa.text("undone_at IS NULL"),
        sqlite_where=sa.text("undone_at IS NULL"),
    )
    op.drop_index(op.f("ix_rulings_item_id"), table_name="rulings")
    op.create_index(op.f("ix_rulings_item_id"), "rulings", ["item_id"], unique=False)


def _index(name: str, columns: list[str | sa.TextClause], where: str) -> None:
    op.create_index(name, "review_items", columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))


def downgrade() -> None:
    # The release before knows one ruling an item, and concludes none: what could still be undone is given back.
    op.execute("DELETE FROM rulings WHERE undone_at IS NOT NULL")
    op.execute("DELETE FROM rulings WHERE item_id IN (SELECT id FROM review_items WHERE concludes_at IS NOT NULL)")
    op.execute("UPDATE review_items SET state = 'waiting', ended_at = NULL WHERE concludes_at IS NOT NULL")
    op.drop_index(op.f("ix_rulings_item_id"), table_name="rulings")
    op.create_index(op.f("ix_rulings_item_id"), "rulings", ["item_id"], unique=True)
    op.drop_index("ix_rulings_standing", table_name="rulings")
    for column in ("undone_at", "severity", "verdict"):
        op.drop_column("rulings", column)
    for index in ("waiting_in_segment", "waiting_escalates_at", "concludes_at"):
        op.drop_index(f"ix_review_items_{index}", table_name="review_items")
    _index("ix_review_items_waiting_due_at", ["level", "due_at"], "state = 'waiting'")
    for column in ("concludes_at", "ahead", "escalates_at"):
        op.drop_column("review_items", column)
