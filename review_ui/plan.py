"""What an agent is held to: its plan as applied, and the routing rules of the version that is looked at."""

from fastapi import APIRouter, Request, Response

from kit.http import Ctx
from review_ui.agent import AgentName, Version, head_of, names_of
from review_ui.pages import ViewerDep, render
from review_ui.shown import pretty
from rollout.agents import queries as agent_queries
from rollout.plans import queries as plan_queries
from rollout.versions import queries as version_queries

router = APIRouter(include_in_schema=False)

_POLICIES = 20


@router.get("/agents/{name}/plan")
def show_plan(request: Request, name: AgentName, viewer: ViewerDep, ctx: Ctx, version: Version = "") -> Response:
    viewer.actor.require("read")
    now = ctx.clock.now()
    with ctx.db.read() as session:
        agent = agent_queries.get_agent(session, name)
        names = names_of(session)
        head = head_of(session, agent, version, names, now)
        newest = plan_queries.newest(session, name)
        rollout = head.shown
        held_to = plan_queries.find_plan(session, rollout.plan_id) if rollout and rollout.plan_id else None
        policies = version_queries.policies(session, rollout.id, limit=_POLICIES) if rollout else []
    return render(
        request,
        "agent/plan.html",
        viewer=viewer,
        head=head,
        plan=held_to or newest,
        newest=newest,
        policies=policies,
        rules=pretty(policies[0].body.get("rules", {})) if policies else "",
        names=names,
        tab="plan",
        actions=[],
        now=now,
    )
