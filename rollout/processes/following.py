"""
For routes that take autonomy away: wait, once the change is stored, until it is in force in every web process.

    in_force: Following
    ...
    with ctx.db.begin() as session: ...   # the change
    return Answer(..., in_force=in_force())
"""

import time
from typing import Annotated

from fastapi import Depends, Query

from kit.context import Context
from kit.http import Ctx
from rollout.processes import queries, service
from rollout.processes.schemas import InForceOut
from rollout.versions.queries import newest_sequence

LONGEST = 30.0  # seconds
_LOOK_EVERY = 0.03  # seconds

Wait = Annotated[bool, Query(description="Answer when every web process has it in force, or `within` is over.")]
Within = Annotated[float, Query(gt=0, le=LONGEST, allow_inf_nan=False, description="Seconds to wait at most.")]


def wait_until_in_force(ctx: Context, within: float) -> InForceOut:
    """Wait for everything that is stored now. It is done when the answer says so, and not when the time is over."""
    began = time.monotonic()
    with ctx.db.read() as session:
        sequence = newest_sequence(session)
    while True:
        with ctx.db.read() as session:
            rows = queries.processes(session)
        waited = time.monotonic() - began
        found = service.in_force(rows, sequence, waited=waited, now=ctx.clock.now())
        if found.done or waited >= within:
            return found
        time.sleep(min(_LOOK_EVERY, max(0.0, within - waited)))


class _Following:
    """Called after the transaction; None where the caller does not want to wait."""

    def __init__(self, ctx: Ctx, wait: Wait = False, within: Within = 5.0) -> None:
        self._ctx, self._wait, self._within = ctx, wait, within

    def __call__(self) -> InForceOut | None:
        return wait_until_in_force(self._ctx, self._within) if self._wait else None


Following = Annotated[_Following, Depends(_Following)]
