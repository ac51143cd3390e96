"""News is heard when it was delivered, and cases that were held when they were new."""

import sqlalchemy as sa
from alembic import op

from kit.dialects import UtcTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("notifications", sa.Column("through", sa.BigInteger(), nullable=True))
    op.create_table(
        "held_notices",
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("item_id", "kind", name=op.f("pk_held_notices")),
    )


def downgrade() -> None:
    op.drop_table("held_notices")
    op.drop_column("notifications", "through")
