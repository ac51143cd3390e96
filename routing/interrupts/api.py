"""Interrupts of agent graphs, for those who cannot use the client's adapter: posted as they are, answered in kind."""

import asyncio
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from governance.actors import Actor
from kit.context import Context
from kit.errors import Problem
from kit.http import StrictRoute
from routing.cases.prepare import prepare
from routing.cases.tables import Decision
from routing.hot import WANTS_A_KEY, AgentName, HotPath
from routing.interrupts import service
from routing.interrupts.schemas import InterruptIn, InterruptOut
from routing.waiting import Waiters

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["interrupts"])


@router.post(
    "/agents/{agent}/interrupts",
    status_code=201,
    openapi_extra=WANTS_A_KEY,
    responses={200: {"model": InterruptOut, "description": "It was posted before; the same interrupt."}},
)
async def post_interrupt(request: Request, agent: AgentName, body: InterruptIn, response: Response) -> InterruptOut:
    """
    What a graph asks a person, in any dialect. Each action becomes a case of its own, with the tool's name as its
    action. The same interrupt sent again is the same; with another value it is a 409.
    """
    hot = cast("HotPath", request.app.state.hot)
    actor = await hot.known_agent(request.headers.get("authorization"), agent)
    first, *others = service.cases_of(body)
    # The first alone: where another interrupt has this id, nothing of this one is stored.
    size = len(await request.body())
    stored = await hot.decide(actor, agent, first, size=size)
    rows = [stored.decision]
    now = hot.ctx.clock.now()
    entries = [prepare(hot.holder.current, agent, case, secret=hot.ctx.secret, now=now) for case in others]
    for result in await hot.writer.store_many(entries, actor.name, size=size):
        if isinstance(result, Problem):
            raise result
        rows.append(result.decision)
    response.status_code = 201 if stored.new else 200
    response.headers["Location"] = f"/v1/interrupts/{rows[0].id}"
    return service.shown(rows)


@router.get("/interrupts/{interrupt_id}", openapi_extra=WANTS_A_KEY)
async def get_interrupt(
    request: Request,
    interrupt_id: UUID,
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait for people to rule.")] = 0.0,
) -> InterruptOut:
    """How an interrupt stands; with `wait`, as soon as all of its actions are ruled on or the time is over."""
    hot = cast("HotPath", request.app.state.hot)
    waiters = cast("Waiters", request.app.state.waiters)
    actor = await hot.actor(request)
    rows = await run_in_threadpool(_rows, hot.ctx, actor, interrupt_id)
    if wait and (ids := service.waiting(rows)):
        loop = asyncio.get_running_loop()
        until = loop.time() + wait
        for one in ids:
            left = until - loop.time()
            if left > 0:
                await waiters.wait(one, actor, left, request)
        rows = await run_in_threadpool(_rows, hot.ctx, actor, interrupt_id)
    return service.shown(rows)


def _rows(ctx: Context, actor: Actor, interrupt_id: UUID) -> list[Decision]:
    with ctx.db.read() as session:
        return service.decisions_of(session, interrupt_id, actor)
