"""
For routes that take autonomy away: wait, once the change is stored, until it is in force in every web process.

    in_force: Following
    ...
    with ctx.db.begin() as session: ...   # the change
    return Answer(..., in_force=in_force())

Who waits holds a thread of the pool that answers everybody else. So only a few may; whoever comes beyond is told at
once how far it has come, since nothing that takes autonomy away is ever refused for want of a place to wait.
"""

import threading
import time
from typing import Annotated

from fastapi import Depends, Query

from kit.context import Context
from kit.http import Ctx
from rollout.processes import queries, service
from rollout.processes.schemas import InForceOut
from rollout.versions.queries import newest_sequence

LONGEST = 30.0  # seconds
WAITERS = 8  # in a process, whose pool has forty threads
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25  # seconds between two looks; each pause is half as long again

_places = threading.BoundedSemaphore(WAITERS)

Wait = Annotated[bool, Query(description="Answer when every web process has it in force, or `within` is over.")]
Within = Annotated[float, Query(gt=0, le=LONGEST, allow_inf_nan=False, description="Seconds to wait at most.")]


def wait_until_in_force(ctx: Context, within: float) -> InForceOut:
    """Wait for everything that is stored now. It is done when the answer says so, and not when the time is over."""
    began = time.monotonic()
    with ctx.db.read() as session:
        sequence = newest_sequence(session)
    if not _places.acquire(blocking=False):
        found = _look(ctx, sequence, began)
        words = f"{found.words} Nobody waited for it: {WAITERS} others wait here already."
        return found if found.done else found.model_copy(update={"words": words})
    try:
        return _wait(ctx, sequence, began, within)
    finally:
        _places.release()


def _wait(ctx: Context, sequence: int, began: float, within: float) -> InForceOut:
    pause = _FIRST_PAUSE
    while True:
        found = _look(ctx, sequence, began)
        left = within - (time.monotonic() - began)
        if found.done or left <= 0:
            return found
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _look(ctx: Context, sequence: int, began: float) -> InForceOut:
    with ctx.db.read() as session:
        rows = queries.processes(session)
    return service.in_force(rows, sequence, waited=time.monotonic() - began, now=ctx.clock.now())


class _Following:
    """Called after the transaction; None where the caller does not want to wait."""

    def __init__(self, ctx: Ctx, wait: Wait = False, within: Within = 5.0) -> None:
        self._ctx, self._wait, self._within = ctx, wait, within

    def __call__(self) -> InForceOut | None:
        return wait_until_in_force(self._ctx, self._within) if self._wait else None


Following = Annotated[_Following, Depends(_Following)]
