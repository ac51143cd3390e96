"""Outputs on which a second person rules as well."""

import sqlalchemy as sa
from alembic import op

from kit.dialects import UtcTime

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("review_items", sa.Column("seconded", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("review_items", sa.Column("second_probability", sa.Double(), nullable=True))
    op.create_index(
        "ix_review_items_decision_id_level_kind", "review_items", ["decision_id", "level", "kind"], unique=True
    )
    op.drop_index("ix_review_items_decision_id_level", table_name="review_items")
    op.create_table(
        "second_opinions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.Column("decided_at", UtcTime(), nullable=False),
        sa.Column("asked_at", UtcTime(), nullable=False),
        sa.Column("first_ruling_id", sa.Uuid(), nullable=False),
        sa.Column("first_login", sa.String(length=128), nullable=False),
        sa.Column("first_verdict", sa.String(length=16), nullable=False),
        sa.Column("second_ruling_id", sa.Uuid(), nullable=True),
        sa.Column("second_login", sa.String(length=128), nullable=True),
        sa.Column("second_verdict", sa.String(length=16), nullable=True),
        sa.Column("same", sa.Boolean(), nullable=True),
        sa.Column("ruling_id", sa.Uuid(), nullable=True),
        sa.Column("adjudicator", sa.String(length=128), nullable=True),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.Column("first_right", sa.Boolean(), nullable=True),
        sa.Column("second_right", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_second_opinions")),
    )
    op.create_index(op.f("ix_second_opinions_decision_id"), "second_opinions", ["decision_id"], unique=True)
    op.create_index(op.f("ix_second_opinions_agent_decided_at"), "second_opinions", ["agent", "decided_at"])


def downgrade() -> None:
    """Second opinions that wait or were given are forgotten: before them a decision had one item in each line."""
    op.drop_table("second_opinions")
    op.execute(
        "DELETE FROM rulings WHERE item_id IN (SELECT id FROM review_items WHERE kind IN ('second', 'adjudication'))"
    )
    op.execute("DELETE FROM review_items WHERE kind IN ('second', 'adjudication')")
    op.execute(
        "UPDATE decisions SET unsettled = true WHERE id IN"
        " (SELECT decision_id FROM labels WHERE source IN ('second', 'adjudication'))"
    )
    op.execute("DELETE FROM labels WHERE source IN ('second', 'adjudication')")
    op.create_index("ix_review_items_decision_id_level", "review_items", ["decision_id", "level"], unique=True)
    op.drop_index("ix_review_items_decision_id_level_kind", table_name="review_items")
    op.drop_column("review_items", "second_probability")
    op.drop_column("review_items", "seconded")
