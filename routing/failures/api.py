"""
Routes for failures. They are reported on the decision they came from, and tell what became of its output: so they are
not for a reviewer who is still to say what it should have been.
"""

from uuid import UUID

from fastapi import APIRouter
from sqlalchemy.orm import Session

from governance.actors import Actor
from governance.people.api import ActorDep
from kit.http import Ctx, StrictRoute
from rollout.agents.queries import get_agent
from rollout.failures import queries, service
from rollout.failures.schemas import CauseIn, FailureOut, FailuresOut, State
from rollout.failures.tables import Failure
from rollout.params import AgentQuery, Cursor, Limit, after_id, cut
from routing.gold import reports
from routing.supervision import veil

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["failures"])


@router.get("/failures")
def list_failures(
    agent: AgentQuery, actor: ActorDep, ctx: Ctx, state: State | None = None, cursor: Cursor = None, limit: Limit = 50
) -> FailuresOut:
    """
    The reported failures of an agent, the newest first. Without those of cases that ask a reviewer for their own answer
    first, as long as they do.
    """
    actor.require("read", agent)
    with ctx.db.read() as session:
        get_agent(session, agent)
        before = after_id(cursor)
        rows = queries.failures(session, agent, state=state, before=before, limit=limit + 1)
        if state in {None, "open"}:
            rows = reports.among(session, agent, rows, actor, before=before, limit=limit + 1)
        page, more = cut(rows, limit, lambda row: row.id)
        shown = veil.failures(session, agent, page, actor)
        return FailuresOut(items=[FailureOut.model_validate(row) for row in shown], next_cursor=more)


@router.get("/failures/{failure_id}")
def show_failure(failure_id: UUID, actor: ActorDep, ctx: Ctx) -> FailureOut:
    with ctx.db.read() as session:
        return FailureOut.model_validate(_seen(session, failure_id, actor))


@router.post("/failures/{failure_id}/investigate")
def investigate(failure_id: UUID, body: CauseIn, actor: ActorDep, ctx: Ctx) -> FailureOut:
    """Somebody looks into it; it still counts as open."""
    with ctx.db.begin() as session:
        failure = _to_change(session, failure_id, actor)
        return FailureOut.model_validate(
            service.investigate(session, failure, body.cause, actor=actor, now=ctx.clock.now())
        )


@router.post("/failures/{failure_id}/close")
def close(failure_id: UUID, body: CauseIn, actor: ActorDep, ctx: Ctx) -> FailureOut:
    """It is understood: what it was, on record."""
    with ctx.db.begin() as session:
        failure = _to_change(session, failure_id, actor)
        return FailureOut.model_validate(service.close(session, failure, body.cause, actor=actor, now=ctx.clock.now()))


def _seen(session: Session, failure_id: UUID, actor: Actor) -> Failure:
    """For the key of another agent it does not exist."""
    failure = reports.find(session, failure_id, actor) or queries.get_failure(session, failure_id, of=actor.agent)
    veil.require_open(session, failure, actor)
    return failure


def _to_change(session: Session, failure_id: UUID, actor: Actor) -> Failure:
    """What was reported of a gold case is there for nobody to look into; first, as ever, who may not is told so."""
    actor.require("configure", _seen(session, failure_id, actor).agent)
    return queries.get_failure(session, failure_id, of=actor.agent)
