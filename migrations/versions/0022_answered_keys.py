"""What was sent with an Idempotency-Key, and how it was answered."""

import sqlalchemy as sa
from alembic import op

from kit.dialects import Json, UtcTime

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "answered_keys",
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("answer", Json, nullable=False),
        sa.Column("answered_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("agent", "key", name=op.f("pk_answered_keys")),
    )
    op.create_index(op.f("ix_answered_keys_answered_at"), "answered_keys", ["answered_at"])


def downgrade() -> None:
    op.drop_table("answered_keys")
