"""The look at every rollout, and the end of break-glass, every beat."""

import time
from uuid import UUID

import structlog

from kit.context import Context
from kit.tasks import task
from rollout.gates import glass, service
from rollout.versions import queries as version_queries

log = structlog.get_logger(__name__)

_SHARE = 0.25
_LAST_FOR = 60.0  # seconds
_failed: dict[UUID, float] = {}
"""
Until when (monotonic) a version stands behind all others, since the last look of this process at it failed: it has
waited longest by then, and would be the first in each sweep.
"""


@task("rollout.look", every=1)
def look_at_all(ctx: Context) -> int:
    """The sweep: it takes a quarter of the time until the next one, since settling waits for the same workers."""
    return look_in_turn(ctx, seconds=ctx.settings.beat_seconds * _SHARE)


def look_in_turn(ctx: Context, *, seconds: float) -> int:
    """
    Judge the rollouts that are not retired until so many seconds are over, one at least; returns how many were judged.

    Those come first that waited longest, so the next call goes on where this one ended. Each stands for itself.
    """
    began = time.monotonic()
    with ctx.db.read() as session:
        waiting = version_queries.ids_to_judge(session, ctx.clock.now())
    waiting = sorted(waiting, key=lambda one: _failed.get(one, began) > began)
    looked = 0
    for rollout_id in waiting:
        _failed[rollout_id] = began + _LAST_FOR
        try:
            with ctx.db.begin() as session:
                rollout = version_queries.rollout_by_id(session, rollout_id)
                if rollout is not None:
                    service.look(session, rollout, now=ctx.clock.now(), sparing=True)
            looked += 1
            del _failed[rollout_id]
        except Exception:
            # One rollout that cannot be judged must not keep the guardrails of the others from firing.
            log.exception("a rollout could not be looked at; the others were", rollout=str(rollout_id))
        if time.monotonic() >= began + seconds:
            break
    return looked


@task("rollout.end_break_glass", every=1)
def end_break_glass(ctx: Context) -> int:
    """Take back what was lent for a while and is over; returns how often. Each stands for itself."""
    with ctx.db.read() as session:
        over = version_queries.ids_with_glass_over(session, ctx.clock.now())
    ended = 0
    for rollout_id in over:
        try:
            with ctx.db.begin() as session:
                ended += glass.end_one(session, rollout_id, now=ctx.clock.now())
        except Exception:
            # Routing has gone back by itself; that one cannot be recorded must not keep the others.
            log.exception("break-glass could not be ended; the next sweep repeats it", rollout=str(rollout_id))
    return ended
