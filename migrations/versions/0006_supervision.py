"""Cases answered before the output is seen."""

import sqlalchemy as sa
from alembic import op

from kit.dialects import Json, UtcTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("review_items", sa.Column("arm", sa.String(length=16), server_default="assisted", nullable=False))
    op.add_column("review_items", sa.Column("arm_probability", sa.Double(), nullable=True))
    op.create_table(
        "blind_answers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("login", sa.String(length=128), nullable=False),
        sa.Column("output", Json, nullable=True),
        sa.Column("equal", sa.Boolean(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blind_answers")),
    )
    op.create_index(op.f("ix_blind_answers_decision_id"), "blind_answers", ["decision_id"])
    op.create_index(op.f("ix_blind_answers_item_id_login"), "blind_answers", ["item_id", "login"], unique=True)


def downgrade() -> None:
    op.drop_table("blind_answers")
    op.drop_column("review_items", "arm_probability")
    op.drop_column("review_items", "arm")
