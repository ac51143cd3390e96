"""The sweep that takes declared looks when their labels are in."""

from uuid import UUID

import structlog

from kit.context import Context
from kit.tasks import task
from rollout.versions import queries as version_queries
from routing.thresholds import service

log = structlog.get_logger(__name__)


@task("routing.calibrate", every=30)
def calibrate_all(ctx: Context) -> int:
    """Returns how many looks were taken. Each version stands for itself; most have none due, and lock nothing."""
    with ctx.db.read() as session:
        waiting = version_queries.ids_under_a_plan(session)
    taken = 0
    for rollout_id in waiting:
        try:
            taken += _take_of(ctx, rollout_id)
        except Exception:
            # One version whose labels cannot be read must not keep the others from their thresholds.
            log.exception("a threshold could not be looked for; the next sweep repeats it", rollout=str(rollout_id))
    return taken


def _take_of(ctx: Context, rollout_id: UUID) -> int:
    now = ctx.clock.now()
    with ctx.db.read() as session:
        rollout = version_queries.rollout_by_id(session, rollout_id)
        if rollout is None or not service.is_due(session, rollout, now):
            return 0
    with ctx.db.begin() as session:
        rollout = version_queries.rollout_by_id(session, rollout_id)
        return 0 if rollout is None else len(service.take_due(session, rollout, secret=ctx.secret, now=now))
