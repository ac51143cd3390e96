"""Cases whose right answer is known, and to whom they were dealt."""

import sqlalchemy as sa
from alembic import op

from kit.dialects import Json, UtcTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_OPEN = sa.text("kind = 'gold' AND state = 'waiting'")


def upgrade() -> None:
    op.create_table(
        "gold_cases",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=True),
        sa.Column("case_id", sa.String(length=200), nullable=False),
        sa.Column("input", Json, nullable=True),
        sa.Column("output", Json, nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("segment", sa.String(length=128), nullable=False),
        sa.Column("action", sa.String(length=128), nullable=True),
        sa.Column("amount", sa.Double(), nullable=True),
        sa.Column("risk", sa.String(length=32), nullable=True),
        sa.Column("attributes", Json, nullable=True),
        sa.Column("signals", Json, nullable=True),
        sa.Column("trace", Json, nullable=True),
        sa.Column("output_is", sa.String(length=16), nullable=False),
        sa.Column("correct_output", Json, nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("made_by", sa.String(length=128), nullable=False),
        sa.Column("made_at", UtcTime(), nullable=False),
        sa.Column("retired_by", sa.String(length=128), nullable=True),
        sa.Column("retired_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gold_cases")),
    )
    op.create_index(op.f("ix_gold_cases_agent_digest"), "gold_cases", ["agent", "digest"], unique=True)
    op.create_table(
        "gold_deals",
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("gold_case_id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("login", sa.String(length=128), nullable=False),
        sa.Column("before_item_id", sa.Uuid(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("case_id", sa.String(length=200), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("decision", Json, nullable=False),
        sa.Column("dealt_at", UtcTime(), nullable=False),
        sa.Column("ruling", sa.String(length=16), nullable=True),
        sa.Column("said", sa.String(length=16), nullable=True),
        sa.Column("answered_at", UtcTime(), nullable=True),
        sa.Column("told_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("item_id", name=op.f("pk_gold_deals")),
    )
    op.create_index(op.f("ix_gold_deals_gold_case_id_login"), "gold_deals", ["gold_case_id", "login"], unique=True)
    op.create_index(op.f("ix_gold_deals_login_before_item_id"), "gold_deals", ["login", "before_item_id"], unique=True)
    op.create_index(op.f("ix_gold_deals_decision_id"), "gold_deals", ["decision_id"], unique=True)
    op.create_index(op.f("ix_gold_deals_agent_case_id"), "gold_deals", ["agent", "case_id"])
    op.create_index("ix_review_items_gold", "review_items", ["agent"], postgresql_where=_OPEN, sqlite_where=_OPEN)


def downgrade() -> None:
    op.execute("DELETE FROM rulings WHERE item_id IN (SELECT id FROM review_items WHERE kind = 'gold')")
    op.execute("DELETE FROM blind_answers WHERE item_id IN (SELECT id FROM review_items WHERE kind = 'gold')")
    op.execute("DELETE FROM review_items WHERE kind = 'gold'")  # which the release before would take for cases
    op.drop_index("ix_review_items_gold", table_name="review_items")
    op.drop_table("gold_deals")
    op.drop_table("gold_cases")
