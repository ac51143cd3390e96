"""The evidence engine: totals by severity, gold answers, calibrations of thresholds, totals by attribute."""

import sqlalchemy as sa
from alembic import op

from kit.dialects import Json, UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The default fills the rows of before; what they must be, `phasegate doctor --repair` counts.
    with op.batch_alter_table("totals") as totals:
        totals.add_column(sa.Column("minor", sa.Integer(), nullable=False, server_default="0"))
        totals.add_column(sa.Column("low_confidence", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("totals") as totals:
        totals.alter_column("minor", server_default=None)
        totals.alter_column("low_confidence", server_default=None)
    op.create_table(
        "gold_answers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("reviewer", sa.String(length=128), nullable=False),
        sa.Column("case_id", sa.String(length=200), nullable=False),
        sa.Column("output_is", sa.String(length=16), nullable=False),
        sa.Column("said", sa.String(length=16), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("recorded_by", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gold_answers")),
    )
    op.create_index(
        op.f("ix_gold_answers_agent_reviewer_case_id"), "gold_answers", ["agent", "reviewer", "case_id"], unique=True
    )
    op.create_table(
        "attribute_totals",
        sa.Column("rollout_id", sa.Uuid(), nullable=False),
        sa.Column("attribute", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rollout_id"], ["rollouts.id"], name=op.f("fk_attribute_totals_rollout_id_rollouts")
        ),
        sa.PrimaryKeyConstraint("rollout_id", "attribute", "value", "day", name=op.f("pk_attribute_totals")),
    )
    op.create_table(
        "calibrations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rollout_id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("segment", sa.String(length=128), nullable=False),
        sa.Column("look", sa.Integer(), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("declared", Json, nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("answer", Json, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("applied_revision", sa.Integer(), nullable=True),
        sa.Column("applied_at", UtcTime(), nullable=True),
        sa.Column("applied_by", sa.String(length=128), nullable=True),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name=op.f("fk_calibrations_rollout_id_rollouts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibrations")),
    )
    op.create_index(
        op.f("ix_calibrations_rollout_id_segment_look"),
        "calibrations",
        ["rollout_id", "segment", "look"],
        unique=True,
    )


def downgrade() -> None:
    op.drop_table("calibrations")
    op.drop_table("attribute_totals")
    op.drop_table("gold_answers")
    with op.batch_alter_table("totals") as totals:
        totals.drop_column("low_confidence")
        totals.drop_column("minor")
