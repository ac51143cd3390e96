"""The route that says how many reviewers the queue takes."""

from typing import Annotated

from fastapi import APIRouter, Query

from governance.people.api import ActorDep
from kit.http import Ctx, StrictRoute
from rollout.agents.queries import get_agent
from rollout.params import NameQuery
from routing.staffing import service
from routing.staffing.schemas import StaffingOut, staffing_out
from routing.staffing.service import Wish

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["people"])

MOST_MINUTES = 10_080  # a week
MOST_REVIEWERS = 100_000
Within = Annotated[float, Query(ge=0.0, le=MOST_MINUTES, description="minutes until somebody starts on a review")]
Share = Annotated[float, Query(gt=0.0, lt=1.0, description="the share of reviews for which that is promised")]
Minutes = Annotated[
    float | None, Query(ge=0.01, le=MOST_MINUTES, description="what a review takes; else it is measured")
]
Reviewers = Annotated[
    int | None, Query(ge=0, le=MOST_REVIEWERS, description="how many are there; else as many as needed")
]
Part = Annotated[float, Query(ge=0.0, le=1.0)]
OptionalPart = Annotated[float | None, Query(ge=0.0, le=1.0, description="what if this share went alone")]
Zone = Annotated[str, Query(max_length=64, description="the zone of the hours, as in Europe/Zurich")]


@router.get("/staffing")
def show_staffing(
    actor: ActorDep,
    ctx: Ctx,
    *,
    agent: NameQuery = None,
    within_minutes: Within = 60.0,
    share: Share = 0.9,
    minutes_per_review: Minutes = None,
    reviewers: Reviewers = None,
    automation: OptionalPart = None,
    audit_rate: Part = 0.0,
    zone: Zone = "UTC",
) -> StaffingOut:
    """
    Reviewers needed for every hour of the week, from the reviews of the last four weeks; of one agent or of all.

    With `automation` and `audit_rate` it says what would be needed if that share of the cases went alone. With
    `reviewers` it says in which hours so many cannot keep up.
    """
    actor.require("read", agent)
    wish = Wish(agent, within_minutes, share, minutes_per_review, reviewers, automation, audit_rate, zone)
    with ctx.db.read() as session:
        if agent is not None:
            get_agent(session, agent)
        return staffing_out(service.plan(session, wish, now=ctx.clock.now()))
