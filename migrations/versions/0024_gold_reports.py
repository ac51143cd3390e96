"""Failures reported of gold cases, which count nowhere."""

import sqlalchemy as sa
from alembic import op

from kit.dialects import Json, UtcTime

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gold_reports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("correct_output", Json, nullable=True),
        sa.Column("reported_by", sa.String(length=128), nullable=False),
        sa.Column("reported_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gold_reports")),
    )
    op.create_index(op.f("ix_gold_reports_agent_reported_by"), "gold_reports", ["agent", "reported_by"])
    op.create_index(op.f("ix_gold_reports_decision_id"), "gold_reports", ["decision_id"])


def downgrade() -> None:
    """What was reported of gold cases is forgotten; it counted nowhere."""
    op.drop_table("gold_reports")
