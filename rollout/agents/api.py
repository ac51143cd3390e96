"""Routes for agents."""

from fastapi import APIRouter, Request, Response

from governance.people.api import ActorDep
from kit.http import Ctx, StrictRoute, check_match
from kit.wire import entity_tag
from rollout.agents import queries, service
from rollout.agents.schemas import AgentIn, AgentOut, AgentsOut, NewAgent
from rollout.agents.tables import Agent
from rollout.params import AgentPath, Cursor, Limit, after_name, cut

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["agents"])


@router.get("/agents")
def list_agents(actor: ActorDep, ctx: Ctx, cursor: Cursor = None, limit: Limit = 50) -> AgentsOut:
    """All agents by name. The key of an agent sees that one."""
    actor.require("read", actor.agent)
    with ctx.db.read() as session:
        if actor.agent is not None:
            own = queries.find_agent(session, actor.agent)
            return AgentsOut(items=[_out(own)] if own is not None else [], next_cursor=None)
        rows = queries.agents(session, after=after_name(cursor), limit=limit + 1)
        page, more = cut(rows, limit, lambda row: row.name)
        return AgentsOut(items=[_out(row) for row in page], next_cursor=more)


@router.post("/agents", status_code=201)
def register_agent(body: NewAgent, actor: ActorDep, ctx: Ctx, response: Response) -> AgentOut:
    with ctx.db.begin() as session:
        agent = service.register(session, body, actor=actor, now=ctx.clock.now())
        session.flush()  # gives it its first revision, which the answer tells
        response.headers["Location"] = f"/v1/agents/{agent.name}"
        response.headers["ETag"] = _tag(agent)
        return _out(agent)


@router.get("/agents/{agent}")
def show_agent(agent: AgentPath, actor: ActorDep, ctx: Ctx, response: Response) -> AgentOut:
    actor.require("read", agent)
    with ctx.db.read() as session:
        found = queries.get_agent(session, agent)
        response.headers["ETag"] = _tag(found)
        return _out(found)


@router.put("/agents/{agent}")
def change_agent(
    agent: AgentPath, body: AgentIn, actor: ActorDep, ctx: Ctx, request: Request, response: Response
) -> AgentOut:
    """Take over title, owner, second and settings as given. With If-Match, only on the state that was read."""
    with ctx.db.begin() as session:
        found = queries.lock_agent(session, agent)
        actor.require("configure", agent)
        check_match(request, service.as_edited(found).model_dump(mode="json"))
        changed = service.change(session, found, body, actor=actor, now=ctx.clock.now())
        response.headers["ETag"] = _tag(changed)
        return _out(changed)


def _out(agent: Agent) -> AgentOut:
    return AgentOut.model_validate(agent)


def _tag(agent: Agent) -> str:
    return entity_tag(service.as_edited(agent).model_dump(mode="json"))
