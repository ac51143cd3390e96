"""Growth: decisions by month, the once-only rule in a table of its own, what is archived."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

from kit import partitions
from kit.clock import SystemClock
from kit.dialects import Json, UtcTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_KEY = "agent, case_id, version, attempt"
_INDEXES = (
    "ix_decisions_agent_case_id_version_attempt",
    "ix_decisions_agent_decided_at",
    "ix_decisions_rollout_id_epoch",
    "ix_decisions_unsettled",
)
_EARLIEST = 2020  # an id of an earlier year was made by a clock that was wrong, and gets no month


def upgrade() -> None:
    _add_archives()
    _add_keys()
    if op.get_bind().dialect.name == "postgresql":
        _divide_by_month(SystemClock().now())
    else:
        op.drop_index("ix_decisions_agent_case_id_version_attempt", "decisions")
        op.drop_index("ix_decisions_rollout_id_epoch", "decisions")


def _add_keys() -> None:
    op.create_table(
        "decision_keys",
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("case_id", sa.String(length=200), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("agent", "case_id", "version", "attempt", name=op.f("pk_decision_keys")),
        sqlite_with_rowid=False,
    )
    op.execute(f"INSERT INTO decision_keys ({_KEY}, decision_id) SELECT {_KEY}, id FROM decisions ORDER BY id")  # noqa: S608
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(
            "ix_decision_keys_decision_id",
            "decision_keys",
            ["decision_id"],
            unique=False,
            postgresql_using="brin",
            postgresql_with={"pages_per_range": 32, "autosummarize": True},
        )


def _divide_by_month(now: datetime) -> None:
    """The table of before is copied into its months, and dropped."""
    connection = op.get_bind()
    _set_aside()
    op.execute("CREATE TABLE decisions (LIKE decisions_before INCLUDING DEFAULTS) PARTITION BY RANGE (id)")
    partitions.make_rest(connection, "decisions")
    millisecond = "('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint"
    found = connection.exec_driver_sql(
        f"SELECT DISTINCT date_trunc('month', to_timestamp({millisecond} / 1000) AT TIME ZONE 'UTC')::date "  # noqa: S608
        "FROM decisions_before"
    ).scalars()
    coming = list(partitions.coming(now))
    for month in sorted({*coming, *(one for one in found if _EARLIEST <= one.year and one <= coming[-1])}):
        partitions.make(connection, "decisions", month)
    op.execute("INSERT INTO decisions SELECT * FROM decisions_before ORDER BY id")
    op.execute("DROP TABLE decisions_before")
    op.create_primary_key("pk_decisions", "decisions", ["id"])
    op.create_index("ix_decisions_agent_decided_at", "decisions", ["agent", "decided_at"])
    _create_index_of_unsettled()


def _set_aside() -> None:
    for name in _INDEXES:
        op.execute(f"DROP INDEX IF EXISTS {name}")
    op.drop_constraint("pk_decisions", "decisions")
    op.rename_table("decisions", "decisions_before")


def _create_index_of_unsettled() -> None:
    op.create_index("ix_decisions_unsettled", "decisions", ["id"], postgresql_where=sa.text("unsettled"))


def _add_archives() -> None:
    op.create_table(
        "archives",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("decisions", sa.Integer(), nullable=False),
        sa.Column("rows", Json, nullable=False),
        sa.Column("size", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("first_id", sa.Uuid(), nullable=False),
        sa.Column("last_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("dropped_at", UtcTime(), nullable=True),
        sa.Column("kept", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_archives")),
    )
    op.create_index(op.f("ix_archives_agent_month_part"), "archives", ["agent", "month", "part"], unique=True)
    counts = ("cases", "agreed", "overridden", "severe", "void", "invalid_output", "invalid_confidence")
    op.create_table(
        "archived_totals",
        sa.Column("rollout_id", sa.Uuid(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("lane", sa.String(length=16), nullable=False),
        sa.Column("segment", sa.String(length=128), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in (*counts, "minor", "low_confidence")),
        sa.Column("first_attempts", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name=op.f("fk_archived_totals_rollout_id_rollouts")),
        sa.PrimaryKeyConstraint("rollout_id", "epoch", "lane", "segment", "day", name=op.f("pk_archived_totals")),
    )


def downgrade() -> None:
    """Nothing that was archived comes back: the earlier release takes a late retry of such a case for a new one."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE TABLE decisions_before (LIKE decisions INCLUDING DEFAULTS)")
        op.execute("INSERT INTO decisions_before SELECT * FROM decisions ORDER BY id")
        op.execute("DROP TABLE decisions")
        op.rename_table("decisions_before", "decisions")
        op.create_primary_key("pk_decisions", "decisions", ["id"])
        op.create_index("ix_decisions_agent_decided_at", "decisions", ["agent", "decided_at"])
        _create_index_of_unsettled()
    op.create_index(_INDEXES[0], "decisions", _KEY.split(", "), unique=True)
    op.create_index("ix_decisions_rollout_id_epoch", "decisions", ["rollout_id", "epoch"])
    op.drop_table("decision_keys")
    op.drop_table("archived_totals")
    op.drop_table("archives")
