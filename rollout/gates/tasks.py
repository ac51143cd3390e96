"""The look at every rollout, every beat."""

import structlog

from kit.context import Context
from kit.tasks import task
from rollout.gates import service
from rollout.versions import queries as version_queries

log = structlog.get_logger(__name__)


@task("rollout.look", every=1)
def look_at_all(ctx: Context) -> int:
    """Judge every rollout that is not retired; returns how many were judged. Each stands for itself."""
    with ctx.db.read() as session:
        waiting = version_queries.ids_to_look_at(session)
    looked = 0
    for rollout_id in waiting:
        try:
            with ctx.db.begin() as session:
                rollout = version_queries.rollout_by_id(session, rollout_id)
                if rollout is not None:
                    service.look(session, rollout, now=ctx.clock.now(), sparing=True)
            looked += 1
        except Exception:
            # One rollout that cannot be judged must not keep the guardrails of the others from firing.
            log.exception("a rollout could not be looked at; the others were", rollout=str(rollout_id))
    return looked
