"""The queue: what waits for a person, in the order in which it is handed out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from kit.http import Ctx
from review_ui.desk import AgentQuery
from review_ui.pages import ViewerDep, render
from routing.reviews import queries, service
from routing.reviews.tables import ReviewItem

router = APIRouter(prefix="/review", include_in_schema=False)

PAGE = 50
Page = Annotated[int, Query(ge=1, le=10_000)]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the queue."""

    id: UUID
    case_id: str
    agent: str
    version: str
    kind: str
    segment: str
    created_at: datetime
    due_at: datetime
    late: bool
    urgent: bool
    holder: str  # "" when free
    mine: bool
    until: datetime | None


@router.get("/queue")
def show_queue(request: Request, viewer: ViewerDep, ctx: Ctx, agent: AgentQuery = "", page: Page = 1) -> Response:
    viewer.actor.require("review")
    now = ctx.clock.now()
    levels = service.levels_of(viewer.actor)
    with ctx.db.read() as session:
        found = queries.open_page(session, agent=agent or None, levels=levels, offset=(page - 1) * PAGE, limit=PAGE + 1)
        waiting = queries.waiting_counts(session, levels)
    return render(
        request,
        "queue/page.html",
        viewer=viewer,
        rows=[_row(item, viewer.login, now) for item in found[:PAGE]],
        waiting=sorted(waiting.items()),
        left=waiting.get(agent, 0) if agent else min(sum(waiting.values()), queries.COUNTED_UP_TO),
        agent=agent,
        page=page,
        more=len(found) > PAGE,
        now=now,
    )


def _row(item: ReviewItem, login: str, now: datetime) -> Row:
    held = item.claimed_by is not None and (item.claimed_until or now) >= now
    return Row(
        id=item.id,
        case_id=item.case_id,
        agent=item.agent,
        version=item.version,
        kind="escalated" if item.level > 1 else item.kind,
        segment=item.segment,
        created_at=item.created_at,
        due_at=item.due_at,
        late=item.due_at < now,
        urgent=item.priority > 0,
        holder=item.claimed_by or "" if held else "",
        mine=held and item.claimed_by == login,
        until=item.claimed_until if held else None,
    )
