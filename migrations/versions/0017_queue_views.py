"""Saved views of the queue."""

import sqlalchemy as sa
from alembic import op

from kit.dialects import Json

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_SHOWN = sa.text("team IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "queue_views",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("login", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("team", sa.String(length=64), nullable=True),
        sa.Column("opens", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("wanted", Json, nullable=False),
        sa.ForeignKeyConstraint(["login"], ["people.login"], name=op.f("fk_queue_views_login_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queue_views")),
    )
    op.create_index(op.f("ix_queue_views_login_name"), "queue_views", ["login", "name"], unique=True)
    op.create_index("ix_queue_views_team", "queue_views", ["team"], postgresql_where=_SHOWN, sqlite_where=_SHOWN)


def downgrade() -> None:
    op.drop_table("queue_views")
