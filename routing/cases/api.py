"""Human outputs, failures, and what is known of a case."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from governance.people.api import ActorDep
from kit.errors import NotFound
from kit.http import Ctx, StrictRoute
from kit.wire import decode_cursor, encode_cursor
from rollout.agents import service as agents
from rollout.failures.schemas import FailureOut
from routing.cases import queries, repeats, service
from routing.cases.history import CaseOut, case_out, without_rulings
from routing.cases.outcomes import outcome_of
from routing.cases.schemas import (
    DecisionPage,
    FailureIn,
    HumanOutputsBody,
    HumanOutputsIn,
    HumanOutputsOut,
    decision_out,
)
from routing.gold import queries as gold
from routing.gold import reports
from routing.supervision import veil

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["cases"])

IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=200)]


@router.get("/agents/{agent}/decisions")
def list_decisions(
    agent: str,
    actor: ActorDep,
    ctx: Ctx,
    case_id: Annotated[str | None, Query(max_length=200)] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> DecisionPage:
    """
    The stored decisions of an agent, newest first. Of a case that asks a reviewer for their own answer first, they are
    told no reasons, no threshold and no outcome: the only reason is `answer_first`.
    """
    actor.require("read", agent)
    position = decode_cursor(cursor)
    with ctx.db.read() as session:
        agents.get_agent(session, agent)
        after = _as_place(position) if position else None
        rows = queries.decision_page(session, agent, case_id=case_id, after=after, limit=limit)
        if case_id is not None and not rows and after is None and actor.kind == "person":
            rows = gold.decisions_of_seeming_case(session, agent, case_id)
        page = veil.as_before(session, rows[:limit], actor)
        more = encode_cursor(f"{page[-1].decided_at.isoformat()} {page[-1].id}") if len(rows) > limit else None
        veiled = veil.veiled(session, agent, {row.case_id for row in page}, actor)
        items = [decision_out(row, outcome_of(row), veiled=row.case_id in veiled) for row in page]
        return DecisionPage(items=items, next_cursor=more)


def _as_place(position: str) -> queries.PagePlace:
    decided_at, _, row_id = position.partition(" ")
    try:
        return queries.PagePlace(datetime.fromisoformat(decided_at).astimezone(UTC), UUID(row_id))
    except ValueError:
        raise NotFound("this cursor leads nowhere; use next_cursor of an earlier answer") from None


@router.post("/agents/{agent}/human-outputs", status_code=201)
def add_human_outputs(
    agent: str,
    body: HumanOutputsBody,
    actor: ActorDep,
    ctx: Ctx,
    idempotency_key: IdempotencyKey = None,
) -> HumanOutputsOut:
    """
    Store what people did for cases, one or up to 1,000, before or after the agent's output. With an
    `Idempotency-Key`, the same request sent again within 30 days gets the same answer and changes nothing, whatever
    was corrected meanwhile.
    """
    actor.require("report", agent)
    items = body.items if isinstance(body, HumanOutputsIn) else [body]
    with ctx.db.begin() as session:
        agents.get_agent(session, agent)
        now = ctx.clock.now()
        stored = repeats.add_human_outputs(session, agent, items, key=idempotency_key, actor=actor, now=now)
        return HumanOutputsOut(items=stored)


@router.post("/decisions/{decision_id}/failures", status_code=201)
def report_failure(
    decision_id: UUID,
    body: FailureIn,
    actor: ActorDep,
    ctx: Ctx,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> FailureOut:
    """
    Report a production error of this decision. A critical one stops advancing at once. With an
    `Idempotency-Key`, the same report sent twice is one.
    """
    with ctx.db.begin() as session:
        seeming = reports.seeming_decision(session, decision_id, actor)
        row = seeming or queries.get_decision(session, decision_id, actor.agent)
        actor.require("report", row.agent)
        report = reports.report if seeming is not None else service.report_failure
        failure, new = report(session, row, body, key=idempotency_key, actor=actor, now=ctx.clock.now())
        response.status_code = 201 if new else 200
        response.headers["Location"] = f"/v1/failures/{failure.id}"
        return FailureOut.model_validate(failure)


@router.get("/agents/{agent}/cases/{case_id:path}")
def show_case(agent: str, case_id: str, actor: ActorDep, ctx: Ctx) -> CaseOut:
    """
    Everything known of a case: decisions, human outputs with their history, comparisons, labels.

    Not for reviewers while the case waits for a review that asks for their own answer first (`answer-first`).
    """
    actor.require("read", agent)
    with ctx.db.read() as session:
        veil.require_answer_of_case(session, agent, case_id, actor)
        found = case_out(session, agent, case_id, to_person=actor.kind == "person")
        untold = veil.untold(session, agent, [case_id], actor)
        return without_rulings(found, untold) if untold else found
