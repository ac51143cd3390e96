"""Comparisons of which a third person says who was right."""

import sqlalchemy as sa
from alembic import op

from kit.dialects import UtcTime

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "judgements",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("human_output_id", sa.Uuid(), nullable=False),
        sa.Column("comparison_id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("person", sa.String(length=128), nullable=True),
        sa.Column("differed", sa.Boolean(), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=True),
        sa.Column("position", sa.Double(), nullable=False),
        sa.Column("differing_share", sa.Double(), nullable=False),
        sa.Column("same_share", sa.Double(), nullable=False),
        sa.Column("agent_is", sa.String(length=1), nullable=False),
        sa.Column("decided_at", UtcTime(), nullable=False),
        sa.Column("asked_at", UtcTime(), nullable=False),
        sa.Column("withdrawn_at", UtcTime(), nullable=True),
        sa.Column("said", sa.String(length=8), nullable=True),
        sa.Column("judge", sa.String(length=128), nullable=True),
        sa.Column("agent_right", sa.Boolean(), nullable=True),
        sa.Column("person_right", sa.Boolean(), nullable=True),
        sa.Column("counted_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_judgements")),
    )
    op.create_index(op.f("ix_judgements_decision_id"), "judgements", ["decision_id"], unique=True)
    op.create_index(op.f("ix_judgements_item_id"), "judgements", ["item_id"], unique=True)
    op.create_index(op.f("ix_judgements_agent_decided_at"), "judgements", ["agent", "decided_at"])


def downgrade() -> None:
    """Judgements that wait or were given are forgotten; what they said no longer counts once it is settled."""
    op.drop_table("judgements")
    op.execute("DELETE FROM rulings WHERE item_id IN (SELECT id FROM review_items WHERE kind = 'judgement')")
    op.execute("DELETE FROM review_items WHERE kind = 'judgement'")
    op.execute(
        "UPDATE decisions SET unsettled = true WHERE id IN"
        " (SELECT decision_id FROM labels WHERE source IN ('judgement', 'extra_judgement'))"
    )
    op.execute("DELETE FROM labels WHERE source IN ('judgement', 'extra_judgement')")
