"""Teams and skills of people, and what the queues take."""

import sqlalchemy as sa
from alembic import op

from kit.dialects import Json

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reviewer_skills",
        sa.Column("login", sa.String(length=128), nullable=False),
        sa.Column("teams", Json, nullable=False),
        sa.Column("skills", Json, nullable=False),
        sa.ForeignKeyConstraint(["login"], ["people.login"], name=op.f("fk_reviewer_skills_login_people")),
        sa.PrimaryKeyConstraint("login", name=op.f("pk_reviewer_skills")),
    )
    op.create_table(
        "queue_needs",
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("segment", sa.String(length=128), nullable=False),
        sa.Column("team", sa.String(length=64), nullable=True),
        sa.Column("skills", Json, nullable=False),
        sa.ForeignKeyConstraint(["agent"], ["agents.name"], name=op.f("fk_queue_needs_agent_agents")),
        sa.PrimaryKeyConstraint("agent", "segment", name=op.f("pk_queue_needs")),
    )


def downgrade() -> None:
    op.drop_table("queue_needs")
    op.drop_table("reviewer_skills")
