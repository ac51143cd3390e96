"""
Waiting for a person: a long poll that holds no database connection and no thread while it waits.

It wakes when anything was ruled in this process or (over Redis) in another one, and looks once a second
besides, so a lost message delays an answer and never loses it.
"""

import asyncio
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from governance.actors import Actor
from kit.context import Context
from routing.cases import queries
from routing.cases.outcomes import outcome_of
from routing.cases.schemas import DecisionOut, decision_out
from routing.hot import WANTS_A_KEY, HotPath

router = APIRouter(prefix="/v1", tags=["decisions"])

_LOOK_EVERY = 1.0  # seconds


class Waiters:
    """One event per process: whoever waits looks again when it rings."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rung = asyncio.Event()

    def attach(self) -> None:
        """Called on the event loop that the waiting requests live on."""
        self._loop = asyncio.get_running_loop()

    def ring(self) -> None:
        """Wake every waiter; from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ring)

    def _ring(self) -> None:
        self._rung.set()
        self._rung = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._rung.wait(), seconds)
        except TimeoutError:
            return


@router.get("/decisions/{decision_id}", openapi_extra=WANTS_A_KEY)
async def get_decision(
    request: Request,
    decision_id: UUID,
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait for a ruling.")] = 0.0,
) -> DecisionOut:
    """The stored decision; with `wait`, as soon as a person has ruled or the time is over."""
    hot = cast("HotPath", request.app.state.hot)
    waiters = cast("Waiters", request.app.state.waiters)
    actor = await hot.actor(request)
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    while True:
        found = await run_in_threadpool(_look, hot.ctx, actor, decision_id)
        left = until - loop.time()
        if found.status == "final" or left <= 0 or await request.is_disconnected():
            return found
        await waiters.wait(min(_LOOK_EVERY, left))


def _look(ctx: Context, actor: Actor, decision_id: UUID) -> DecisionOut:
    with ctx.db.read() as session:
        row = queries.get_decision(session, decision_id, actor.agent)
        actor.require("read", row.agent)
        return decision_out(row, outcome_of(row))
