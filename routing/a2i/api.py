"""Human loops for those who come from Amazon A2I: an ordinary case each, in their words."""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Path, Request, Response

from governance.people.api import ActorDep
from kit.http import Ctx, StrictRoute
from rollout.agents.queries import get_agent
from routing.a2i import service, shapes
from routing.a2i.schemas import EvaluatedOut, EvaluateIn, HumanLoopOut, StartIn, StopIn
from routing.hot import WANTS_A_KEY, AgentName, HotPath
from routing.supervision import veil

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["human loops"])

LoopPath = Annotated[str, Path(max_length=200)]


@router.post(
    "/agents/{agent}/human-loops",
    status_code=201,
    openapi_extra=WANTS_A_KEY,
    responses={200: {"model": HumanLoopOut, "description": "It was started before; the same loop."}},
)
async def start_human_loop(request: Request, agent: AgentName, body: StartIn, response: Response) -> HumanLoopOut:
    """
    Ask for a person's ruling. It never goes alone; where the policy lets nobody rule on it, the loop has failed, the
    reason says why, and a person does the case. The same loop sent again is the same; with another content it is a 409.
    """
    hot = cast("HotPath", request.app.state.hot)
    actor = await hot.known_agent(request.headers.get("authorization"), agent)
    stored = await hot.decide(actor, agent, service.case_of(body), size=len(await request.body()))
    if not shapes.was_sent(stored.decision):
        raise service.NoLoop(f"case {body.HumanLoopName} was decided before; choose another name")
    response.status_code = 201 if stored.new else 200
    return HumanLoopOut.model_validate(shapes.described(stored.decision))


@router.post("/agents/{agent}/human-loops:stop")
def stop_human_loop(agent: AgentName, body: StopIn, actor: ActorDep, ctx: Ctx) -> HumanLoopOut:
    """Nobody shall rule any more. A loop that has ended is a 409."""
    actor.require("decide", agent)
    with ctx.db.begin() as session:
        row = service.get_loop(session, agent, body.HumanLoopName)
        service.stop(session, row, actor=actor, now=ctx.clock.now())
        return HumanLoopOut.model_validate(shapes.described(row))


@router.get("/agents/{agent}/human-loops/{human_loop:path}/output.json")
def show_output(agent: AgentName, human_loop: LoopPath, actor: ActorDep, ctx: Ctx) -> dict[str, Any]:
    """What A2I would have written to the bucket; 404 until a person has approved or edited the output."""
    actor.require("read", agent)
    with ctx.db.read() as session:
        veil.require_answer_of_case(session, agent, human_loop, actor)
        [row] = veil.as_before(session, [service.get_loop(session, agent, human_loop)], actor)
        return service.output_of(session, row, secret=ctx.secret)


@router.get("/agents/{agent}/human-loops/{human_loop:path}")
def show_human_loop(agent: AgentName, human_loop: LoopPath, actor: ActorDep, ctx: Ctx) -> HumanLoopOut:
    """How a loop stands. Its name is the `case_id` of what was sent; `DecisionId` can be waited for."""
    actor.require("read", agent)
    with ctx.db.read() as session:
        veil.require_answer_of_case(session, agent, human_loop, actor)
        [row] = veil.as_before(session, [service.get_loop(session, agent, human_loop)], actor)
        return HumanLoopOut.model_validate(shapes.described(row))


@router.post("/agents/{agent}/a2i:evaluate")
def evaluate_conditions(agent: AgentName, body: EvaluateIn, actor: ActorDep, ctx: Ctx) -> EvaluatedOut:
    """
    What activation conditions make of an answer; nothing is stored. Not for an agent's key, which could otherwise
    find out which inputs are drawn.
    """
    actor.require("configure", agent)
    with ctx.db.read() as session:
        get_agent(session, agent)
        found = service.try_out(session, agent, body, secret=ctx.secret)
        return EvaluatedOut(
            activated=found.activated,
            humanTaskActivationConditionResults=found.report,
            selectedAiServiceResponse=found.selected,
            unread=list(found.unread),
        )
