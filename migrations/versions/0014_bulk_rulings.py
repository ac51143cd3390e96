"""Rulings on several cases at once, and who had which case before them."""

import sqlalchemy as sa
from alembic import op

from kit.dialects import UtcTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("rulings", sa.Column("bulk", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table(
        "opened_cases",
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("login", sa.String(length=128), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("item_id", "login", name=op.f("pk_opened_cases")),
    )
    op.create_index(op.f("ix_opened_cases_login_at"), "opened_cases", ["login", "at"])


def downgrade() -> None:
    # Void before and void after; the house of before ranks no label of the source "bulk".
    op.execute("UPDATE labels SET source = 'cancelled' WHERE source = 'bulk'")
    op.execute("UPDATE decisions SET label_source = 'cancelled' WHERE label_source = 'bulk'")
    op.drop_table("opened_cases")
    op.drop_column("rulings", "bulk")
