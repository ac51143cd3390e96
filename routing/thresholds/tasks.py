"""The sweep that takes declared looks when their labels are in."""

import structlog

from kit.context import Context
from kit.tasks import task
from rollout.versions import queries as version_queries
from routing.thresholds import service

log = structlog.get_logger(__name__)


@task("routing.calibrate", every=30)
def calibrate_all(ctx: Context) -> int:
    """Returns how many looks were taken. Each version stands for itself."""
    with ctx.db.read() as session:
        waiting = version_queries.ids_to_look_at(session)
    taken = 0
    for rollout_id in waiting:
        try:
            with ctx.db.begin() as session:
                rollout = version_queries.rollout_by_id(session, rollout_id)
                if rollout is not None:
                    taken += len(service.take_due(session, rollout, secret=ctx.secret, now=ctx.clock.now()))
        except Exception:
            # One version whose labels cannot be read must not keep the others from their thresholds.
            log.exception("a threshold could not be looked for; the next sweep repeats it", rollout=str(rollout_id))
    return taken
