"""Whom to tell what, and what was told."""

import sqlalchemy as sa
from alembic import op

from kit.dialects import Json, UtcTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_WAITING = sa.text("state = 'waiting'")


def upgrade() -> None:
    op.create_table(
        "notification_settings",
        sa.Column("login", sa.String(length=128), nullable=False),
        sa.Column("way", sa.String(length=16), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("secret", sa.String(length=128), nullable=True),
        sa.Column("confirmed_at", UtcTime(), nullable=True),
        sa.Column("about", Json, nullable=False),
        sa.Column("agents", Json, nullable=False),
        sa.Column("pace", sa.String(length=16), nullable=False),
        sa.Column("daily_at", sa.String(length=5), nullable=False),
        sa.Column("quiet_from", sa.String(length=5), nullable=True),
        sa.Column("quiet_until", sa.String(length=5), nullable=True),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("told_through", sa.BigInteger(), nullable=False),
        sa.Column("told_at", UtcTime(), nullable=True),
        sa.Column("next_at", UtcTime(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["login"], ["people.login"], name=op.f("fk_notification_settings_login_people")),
        sa.PrimaryKeyConstraint("login", name=op.f("pk_notification_settings")),
    )
    op.create_table(
        "notices",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_notices")),
    )
    op.create_index(op.f("ix_notices_item_id_kind"), "notices", ["item_id", "kind"], unique=True)
    op.create_index(op.f("ix_notices_at"), "notices", ["at"])
    op.create_table(
        "notifications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("login", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("facts", Json, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcTime(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("delivered_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["login"], ["people.login"], name=op.f("fk_notifications_login_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
    )
    op.create_index(
        "ix_notifications_due", "notifications", ["due_at"], postgresql_where=_WAITING, sqlite_where=_WAITING
    )
    op.create_index(op.f("ix_notifications_login"), "notifications", ["login"])
    op.create_index(op.f("ix_notifications_created_at"), "notifications", ["created_at"])
    op.create_table(
        "notification_links",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("notification_id", sa.Uuid(), nullable=False),
        sa.Column("login", sa.String(length=128), nullable=False),
        sa.Column("does", sa.String(length=16), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=True),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("used_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["login"], ["people.login"], name=op.f("fk_notification_links_login_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_links")),
    )
    for column in ("notification_id", "login", "expires_at"):
        op.create_index(op.f(f"ix_notification_links_{column}"), "notification_links", [column])


def downgrade() -> None:
    for table in ("notification_links", "notifications", "notices", "notification_settings"):
        op.drop_table(table)
