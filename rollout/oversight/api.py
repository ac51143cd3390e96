"""Routes for readiness and for the periodic reviews."""

from fastapi import APIRouter, Response

from governance.people.api import ActorDep
from kit.http import Ctx, StrictRoute
from rollout.agents.queries import get_agent
from rollout.oversight import queries, service
from rollout.oversight.schemas import AnswerIn, AnswerOut, AnswersOut, ReviewIn, ReviewOut, ReviewsOut
from rollout.params import AgentPath, Cursor, ItemPath, Limit, VersionPath, after_id, cut
from rollout.versions.queries import get_rollout

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["oversight"])

_READINESS = "/agents/{agent}/versions/{version}/readiness"


@router.get(_READINESS)
def list_answers(agent: AgentPath, version: VersionPath, actor: ActorDep, ctx: Ctx) -> AnswersOut:
    """The answers given so far. What the plan asks stands in the rollout's status."""
    actor.require("read", agent)
    with ctx.db.read() as session:
        rows = queries.answers(session, get_rollout(session, agent, version).id)
        return AnswersOut(items=[AnswerOut.model_validate(row) for row in rows])


@router.put(f"{_READINESS}/{{item}}")
def answer(
    agent: AgentPath, version: VersionPath, item: ItemPath, body: AnswerIn, actor: ActorDep, ctx: Ctx
) -> AnswerOut:
    """Answer one item of the checklist. An unknown is a no, and so is a yes without a link."""
    with ctx.db.begin() as session:
        row = service.answer_readiness(
            session,
            get_rollout(session, agent, version),
            item,
            answer=body.answer,
            link=body.link,
            owner=body.owner,
            due=body.due,
            actor=actor,
            now=ctx.clock.now(),
        )
        return AnswerOut.model_validate(row)


@router.get("/agents/{agent}/reviews-held")
def list_reviews(agent: AgentPath, actor: ActorDep, ctx: Ctx, cursor: Cursor = None, limit: Limit = 50) -> ReviewsOut:
    """The periodic reviews that were held, the newest first."""
    actor.require("read", agent)
    with ctx.db.read() as session:
        get_agent(session, agent)
        rows = queries.reviews(session, agent, before=after_id(cursor), limit=limit + 1)
        page, more = cut(rows, limit, lambda row: row.id)
        return ReviewsOut(items=[ReviewOut.model_validate(row) for row in page], next_cursor=more)


@router.post("/agents/{agent}/reviews-held", status_code=201)
def hold_review(agent: AgentPath, body: ReviewIn, actor: ActorDep, ctx: Ctx, response: Response) -> ReviewOut:
    """Sign that the periodic review was held, with what was decided and the figures of that moment."""
    with ctx.db.begin() as session:
        found = get_agent(session, agent)
        review = service.hold_review(
            session, found, decision=body.decision, note=body.note, actor=actor, now=ctx.clock.now()
        )
        response.headers["Location"] = f"/v1/agents/{agent}/reviews-held"
        return ReviewOut.model_validate(review)
