"""Rulings that were given sooner than anybody can have read the case."""

import sqlalchemy as sa
from alembic import op

from kit.dialects import UtcTime

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "unread_rulings",
        sa.Column("ruling_id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("login", sa.String(length=128), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("ruling_id", name=op.f("pk_unread_rulings")),
    )
    op.create_index(op.f("ix_unread_rulings_agent_at"), "unread_rulings", ["agent", "at"])
    op.create_index(op.f("ix_unread_rulings_login_at"), "unread_rulings", ["login", "at"])


def downgrade() -> None:
    op.drop_table("unread_rulings")
