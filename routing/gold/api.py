"""Routes for gold cases: made, listed and retired, and what one's own rulings on them came to."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from governance.people.api import ActorDep
from kit.errors import Invalid, Place
from kit.http import Ctx, StrictRoute
from kit.wire import decode_cursor, encode_cursor
from rollout.params import AgentPath
from routing.gold import queries, service
from routing.gold.queries import Answers
from routing.gold.schemas import GoldCaseIn, GoldCaseOut, GoldCasesOut, GoldReportsOut, ResultOut
from routing.gold.tables import GoldCase
from routing.gold.unfit import left_out
from routing.reviews.api import agent_entry

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["gold"])


@router.post("/agents/{agent}/gold-cases", status_code=201)
def make_gold_case(
    request: Request, agent: AgentPath, body: GoldCaseIn, actor: ActorDep, ctx: Ctx, response: Response
) -> GoldCaseOut:
    """
    A case whose right answer is known, to be mixed unseen into reviewers' streams; for owners and leads, who are dealt
    none. The same again is answered with 200.
    """
    service.require_keeper(actor)
    with ctx.db.begin() as session:
        made = service.make(session, agent_entry(request, agent), body, actor=actor, now=ctx.clock.now())
        response.status_code = 201 if made.new else 200
        return _outs(session, [made.case])[0]


@router.get("/agents/{agent}/gold-cases")
def list_gold_cases(
    request: Request,
    agent: AgentPath,
    actor: ActorDep,
    ctx: Ctx,
    state: Literal["active", "retired"] | None = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> GoldCasesOut:
    """The newest first, with what reviewers said of them; and what is dealt from."""
    service.require_keeper(actor)
    before, active = _as_id(decode_cursor(cursor)), None if state is None else state == "active"
    with ctx.db.read() as session:
        entry = agent_entry(request, agent)
        rows = queries.cases(session, agent, active=active, before=before, limit=limit + 1)
        more = encode_cursor(str(rows[limit - 1].id)) if len(rows) > limit else None
        items = _outs(session, rows[:limit])
        return GoldCasesOut(items=items, pool=service.pool_of(session, entry), next_cursor=more)


@router.get("/agents/{agent}/gold-reports")
def list_gold_reports(
    request: Request,
    agent: AgentPath,
    actor: ActorDep,
    ctx: Ctx,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> GoldReportsOut:
    """
    Failures that reviewers reported of gold cases, the newest first; for owners and leads. They count nowhere; one may
    say that the gold case itself is wrong.
    """
    service.require_keeper(actor)
    agent_entry(request, agent)
    before = _as_id(decode_cursor(cursor))
    with ctx.db.read() as session:
        found = service.reports_of(session, agent, actor=actor, before=before, limit=limit + 1)
    more = encode_cursor(str(found[limit - 1].id)) if len(found) > limit else None
    return GoldReportsOut(items=found[:limit], next_cursor=more)


@router.post("/gold-cases/{gold_case_id}/retire")
def retire_gold_case(gold_case_id: UUID, actor: ActorDep, ctx: Ctx) -> GoldCaseOut:
    """It is dealt to nobody any more. What was said of it stays."""
    service.require_keeper(actor)
    with ctx.db.begin() as session:
        case = service.retire(session, gold_case_id, actor=actor, now=ctx.clock.now())
        return _outs(session, [case])[0]


@router.get("/reviews/{item_id}/known-answer")
def show_known_answer(item_id: UUID, actor: ActorDep, ctx: Ctx) -> ResultOut:
    """
    What is known of a case that you ruled on, where it was a gold case; when the ruling can no longer be undone (of one
    that you passed on: when the second line's time would be over), and not found before.
    """
    actor.require("review")
    with ctx.db.read() as session:
        return service.result_of(session, actor.name, item_id, ctx.clock.now())


def _as_id(position: str | None) -> UUID | None:
    try:
        return UUID(position) if position is not None else None
    except ValueError:
        place = Place("cursor", "it is not one of ours", "use next_cursor of an earlier answer")
        raise Invalid("cursor: it is not one of ours", places=[place]) from None


def _outs(session: Session, cases: Sequence[GoldCase]) -> list[GoldCaseOut]:
    counted, unfit = service.answers_of(session, cases), left_out(session, cases)
    reports = queries.reports_by_case(session, [case.id for case in cases])
    outs = []
    for case in cases:
        known = counted.get(case.id, Answers())._asdict()
        known |= {"reports": reports.get(case.id, 0), "left_out": unfit.get(case.id)}
        outs.append(GoldCaseOut.model_validate(case).model_copy(update=known))
    return outs
