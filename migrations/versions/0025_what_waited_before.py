"""What was stored before a rule came: judgements get the time at which they are passed on, failures are weighed anew."""

import sqlalchemy as sa
from alembic import op

from kit.dialects import UtcTime

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_ITEMS = sa.table(
    "review_items",
    sa.column("id", sa.Uuid()),
    *(sa.column(name, UtcTime()) for name in ("created_at", "due_at", "escalates_at", "expires_at")),
    *(sa.column(name) for name in ("kind", "state", "level")),
)
_DECISIONS = sa.table("decisions", sa.column("id", sa.Uuid()), sa.column("unsettled", sa.Boolean()))
_FAILURES = sa.table("failures", sa.column("decision_id", sa.Uuid()))


def upgrade() -> None:
    """Half of its time is the first line's, as where an agent's settings say nothing else."""
    connection = op.get_bind()
    waits = _ITEMS.c.kind == "judgement", _ITEMS.c.state == "waiting", _ITEMS.c.level == 1
    unknown = sa.select(_ITEMS.c.id, _ITEMS.c.created_at, _ITEMS.c.due_at)
    rows = connection.execute(unknown.where(*waits, _ITEMS.c.escalates_at.is_(None))).all()
    if rows:
        one = sa.update(_ITEMS).where(_ITEMS.c.id == sa.bindparam("item"))
        connection.execute(
            one.values(escalates_at=sa.bindparam("until"), expires_at=None),
            [{"item": row.id, "until": row.created_at + (row.due_at - row.created_at) / 2} for row in rows],
        )
    reported = sa.select(_FAILURES.c.decision_id).where(_FAILURES.c.decision_id.is_not(None))
    connection.execute(sa.update(_DECISIONS).where(_DECISIONS.c.id.in_(reported)).values(unsettled=True))


def downgrade() -> None:
    """Times stay as they are, which 0024 knows; what a failure counts for follows from its worker."""
