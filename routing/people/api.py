"""The route that says what the verdicts of people are worth."""

from typing import Annotated

from fastapi import APIRouter, Query

from governance.people.api import ActorDep
from kit.http import Ctx, StrictRoute
from kit.wire import Moment
from rollout.agents.queries import get_agent
from rollout.params import AgentPath, NameQuery
from rollout.versions.queries import get_rollout
from routing.people import service
from routing.people.schemas import PeopleOut, people_out

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["people"])

Since = Annotated[
    Moment | None, Query(alias="from", description="decided on the day of this or later; 90 days before `to`")
]
Until = Annotated[
    Moment | None,
    Query(alias="to", description="decided before the end of the day of this, in UTC, or before this midnight; now"),
]


@router.get("/agents/{agent}/people")
def show_people(
    agent: AgentPath,
    actor: ActorDep,
    ctx: Ctx,
    version: NameQuery = None,
    since: Since = None,
    until: Until = None,
) -> PeopleOut:
    """How far people agree, whether seeing the output sways them, who was right. For owners, leads and auditors."""
    service.require_reader(actor, agent)
    with ctx.db.read() as session:
        get_agent(session, agent)
        if version is not None:
            get_rollout(session, agent, version)
        scope = service.scope_of(agent, version, since, until, ctx.clock.now())
        return people_out(service.report(session, scope))
