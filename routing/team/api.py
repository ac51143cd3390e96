"""The route that says how the team's work stands."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from governance.people.api import ActorDep
from kit.http import Ctx, StrictRoute
from rollout.agents.queries import get_agent
from rollout.params import NameQuery
from routing.people.service import require_reader
from routing.team import service
from routing.team.schemas import TeamOut, team_out

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["people"])

Days = Annotated[int, Query(ge=1, le=90, description="how far back to count what ended and what was ruled")]


@router.get("/team")
def show_team(actor: ActorDep, ctx: Ctx, agent: NameQuery = None, days: Days = 28) -> TeamOut:
    """What waits by queue and age, what was ruled late, and who has how much; for owners, leads and auditors."""
    require_reader(actor, agent)
    now = ctx.clock.now()
    with ctx.db.read() as session:
        if agent is not None:
            get_agent(session, agent)
        return team_out(service.standing(session, agent, since=now - timedelta(days=days), now=now))
