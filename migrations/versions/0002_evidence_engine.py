"""The evidence engine: totals by severity, gold answers, calibrations of thresholds, totals by attribute."""

import sqlalchemy as sa
from alembic import op

from kit.dialects import Json, UtcTime, utc_day

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_DECISIONS = sa.table(
    "decisions",
    *(sa.column(name) for name in ("rollout_id", "epoch", "lane", "segment", "decided_at", "phase", "confidence")),
    *(sa.column(name) for name in ("threshold", "label", "label_severity", "counted_as")),
)
_COHORT = ("rollout_id", "epoch", "lane", "segment", "day")
_TOTALS = sa.table("totals", *(sa.column(name) for name in (*_COHORT, "minor", "low_confidence")))


def upgrade() -> None:
    _add_new_tables()
    _add_counts()
    _count_decisions_of_before()


def _count_decisions_of_before() -> None:
    """
    Count the two new columns for what is counted already: a low_confidence of 0 would read as an agent sure of all.

    The rules as they were at this revision, written out, so that no later program can change what this one counts.
    """
    connection = op.get_bind()
    row = _DECISIONS.c
    minor = (row.counted_as == "override", row.label == "override", row.label_severity == "minor")
    connection.execute(sa.update(_DECISIONS).where(*minor).values(counted_as="minor"))
    below = sa.and_(
        row.phase.in_(("confidence", "full")),
        row.lane.in_(("review", "auto", "audit")),
        sa.or_(row.threshold.is_(None), row.confidence.is_(None), row.confidence < row.threshold),
    )
    day = utc_day(row.decided_at, connection.dialect.name).label("day")
    key = (row.rollout_id, row.epoch, row.lane, row.segment, day)
    counted = (
        sa.select(
            *key,
            sa.func.sum(sa.case((row.counted_as == "minor", 1), else_=0)).label("minor"),
            sa.func.sum(sa.case((below, 1), else_=0)).label("low_confidence"),
        )
        .where(row.rollout_id.is_not(None), row.counted_as.is_not(None), row.counted_as != "nothing")
        .group_by(*key)
        .subquery("counted")
    )
    same = [_TOTALS.c[name] == counted.c[name] for name in _COHORT]
    found = {name: counted.c[name] for name in ("minor", "low_confidence")}
    connection.execute(sa.update(_TOTALS).where(*same).values(found))


def _add_counts() -> None:
    # The default is for the rows of before, until they are counted.
    with op.batch_alter_table("totals") as totals:
        totals.add_column(sa.Column("minor", sa.Integer(), nullable=False, server_default="0"))
        totals.add_column(sa.Column("low_confidence", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("totals") as totals:
        totals.alter_column("minor", server_default=None)
        totals.alter_column("low_confidence", server_default=None)


def _add_new_tables() -> None:
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
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name=op.f("fk_attribute_totals_rollout_id_rollouts")),
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
    minor = _DECISIONS.c.counted_as == "minor"
    op.get_bind().execute(sa.update(_DECISIONS).where(minor).values(counted_as="override"))
