"""The route that says what second opinions came to."""

from fastapi import APIRouter

from governance.people.api import ActorDep
from kit.http import Ctx, StrictRoute
from rollout.agents.queries import get_agent
from rollout.params import AgentPath, NameQuery
from rollout.versions.queries import get_rollout
from routing.opinions.report import report
from routing.opinions.schemas import SecondOpinionsOut, second_opinions_out
from routing.people.api import Since, Until
from routing.people.service import require_reader, scope_of

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["people"])


@router.get("/agents/{agent}/second-opinions")
def show_second_opinions(
    agent: AgentPath,
    actor: ActorDep,
    ctx: Ctx,
    version: NameQuery = None,
    since: Since = None,
    until: Until = None,
) -> SecondOpinionsOut:
    """
    How far two people who know nothing of each other say the same, and who was wrong where they differed. For owners,
    leads and auditors.
    """
    require_reader(actor, agent)
    with ctx.db.read() as session:
        get_agent(session, agent)
        if version is not None:
            get_rollout(session, agent, version)
        scope = scope_of(agent, version, since, until, ctx.clock.now())
        return second_opinions_out(report(session, scope))
