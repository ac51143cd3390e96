"""Routes for what is known of reviewers."""

from fastapi import APIRouter

from governance.people.api import ActorDep
from kit.http import Ctx, StrictRoute
from rollout.agents.queries import get_agent
from rollout.params import AgentPath
from rollout.reviewers import service
from rollout.reviewers.schemas import GoldAnswersIn, GoldAnswersStored, ReviewersOut

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["reviewers"])

_GOLD_ANSWERS = "/agents/{agent}/gold-answers"


@router.post(_GOLD_ANSWERS, status_code=201)
def record_gold_answers(agent: AgentPath, body: GoldAnswersIn, actor: ActorDep, ctx: Ctx) -> GoldAnswersStored:
    """
    What reviewers said of cases whose right answer was known. Gates may be corrected by it.

    For who may configure the agent, and never about themselves. The same answer again is fine, another one is a
    conflict; then nothing of the request is stored.
    """
    with ctx.db.begin() as session:
        return GoldAnswersStored(items=service.record(session, agent, body.items, actor=actor, now=ctx.clock.now()))


@router.get(_GOLD_ANSWERS)
def show_reviewers(agent: AgentPath, actor: ActorDep, ctx: Ctx) -> ReviewersOut:
    """The share of errors that each reviewer finds and of right outputs that they confirm, with exact bounds."""
    service.require_reader(actor, agent)
    with ctx.db.read() as session:
        get_agent(session, agent)
        return service.reviewers(session, agent)
