"""The route that says who was right, of an agent and the people who did the same cases."""

from fastapi import APIRouter

from governance.people.api import ActorDep
from kit.http import Ctx, StrictRoute
from rollout.agents.queries import get_agent
from rollout.params import AgentPath, NameQuery
from rollout.versions.queries import get_rollout
from routing.judgements import judges, queries
from routing.judgements.figures import figures
from routing.judgements.schemas import JudgementsOut, judgements_out
from routing.people.api import Since, Until
from routing.people.service import require_reader, scope_of

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["people"])


@router.get("/agents/{agent}/judgements")
def show_judgements(
    agent: AgentPath,
    actor: ActorDep,
    ctx: Ctx,
    version: NameQuery = None,
    since: Since = None,
    until: Until = None,
) -> JudgementsOut:
    """
    Who was right where an agent and a person did the same case, as a third person judged who did not see whose output
    was whose; and how often either is wrong, of all such cases. For owners, leads and auditors.
    """
    require_reader(actor, agent)
    with ctx.db.read() as session:
        get_agent(session, agent)
        if version is not None:
            get_rollout(session, agent, version)
        scope = scope_of(agent, version, since, until, ctx.clock.now())
        found = figures(queries.asked(session, scope))
        return judgements_out(scope, found, for_nobody=judges.for_nobody(session, scope))
