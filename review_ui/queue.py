"""The queue: what waits for a person, in the order in which it is handed out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from kit.http import Ctx
from review_ui.desk import AgentQuery, SegmentQuery
from review_ui.desk_views import kind_of
from review_ui.pages import ViewerDep, go, render
from review_ui.saved_views import seen_first, views_of
from review_ui.together import selectable
from review_ui.wanted import Wanted
from routing.alike.api import agents_of
from routing.reviews import queries, service
from routing.reviews.api import cursor_at, spot_in
from routing.reviews.dealing import queries as dealing
from routing.reviews.schemas import KINDS, ShownKind
from routing.reviews.tables import ReviewItem
from routing.skills import service as skills
from routing.views.service import shown_to

router = APIRouter(prefix="/review", include_in_schema=False)

PAGE = 50
Cursor = Annotated[str, Query(max_length=200)]
Kind = Literal["", ShownKind, "escalated"]
_KINDS: tuple[Kind, ...] = (*KINDS, "escalated")
_SECOND_LINE = {"adjudication", "escalated"}
Case = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]


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
    alike: str  # what it has in common with cases it may be ruled on with; "" where it may not


@router.get("/queue")
def show_queue(
    request: Request,
    viewer: ViewerDep,
    ctx: Ctx,
    agent: AgentQuery = "",
    segment: SegmentQuery = "",
    kind: Kind = "",
    urgent: bool = False,
    late: bool = False,
    case: Case = "",
    after: Cursor = "",
    before: Cursor = "",
) -> Response:
    viewer.actor.require("review")
    now = ctx.clock.now()
    if not request.query_params and (first := seen_first(ctx, viewer)):
        return go(first)
    wanted = Wanted(agent, segment if agent else "", kind, urgent, late, case.strip())
    with ctx.db.read() as session:
        reach = service.reach_of(session, viewer.actor)
        narrow = wanted.narrow(now)
        alike = selectable(session, viewer, agents_of(request), now)
        found = dealing.open_page(
            session, narrow=narrow, reach=reach, beyond=spot_in(before or after), back=bool(before), limit=PAGE + 1,
            login=viewer.login,
        )  # fmt: skip
        saved = views_of(session, viewer, wanted)
        show_to = shown_to(session, viewer.actor)
        unstaffed = skills.unstaffed(session) if viewer.actor.allows("escalated") else []
        waiting = queries.waiting_counts(session, reach)
        counted = dealing.waiting_of(session, narrow, reach) if wanted.narrowed and not wanted.case else None
    more = len(found) > PAGE
    if (before and not more) or (after and not found):
        return go(wanted.address())  # what waits there may be another part by now: the front is shown whole
    rows = found[-PAGE:] if before else found[:PAGE]
    left = waiting.get(agent, 0) if agent else min(sum(waiting.values()), dealing.COUNTED_UP_TO)
    listed = left if counted is None else counted
    return render(
        request,
        "queue/page.html",
        viewer=viewer,
        rows=[_row(item, viewer.login, now, alike.get(item.id, "")) for item in rows],
        may_select=any(item.id in alike for item in rows),
        waiting=sorted(waiting.items()),
        left=left,
        # Second looks are not counted.
        listed=listed if before or after or wanted.case else max(listed, len(found)),
        saved=saved,
        show_to=show_to,
        unstaffed=[queue.words for queue in unstaffed],
        wanted=wanted,
        kinds=[one for one in _KINDS if viewer.may("escalated") or one not in _SECOND_LINE or one == kind],
        agent=agent,
        here=wanted.address(after=after, before=before),
        earlier=wanted.address(before=cursor_at(rows[0])) if rows and (before or after) else "",
        later=wanted.address(after=cursor_at(rows[-1])) if rows and (before or more) else "",
        now=now,
    )


def _row(item: ReviewItem, login: str, now: datetime, alike: str) -> Row:
    held = item.claimed_by is not None and (item.claimed_until or now) >= now
    return Row(
        id=item.id,
        case_id=item.case_id,
        agent=item.agent,
        version=item.version,
        kind=kind_of(item),
        segment=item.segment,
        created_at=item.created_at,
        due_at=item.due_at,
        late=item.due_at < now,
        urgent=item.priority > 0,
        holder=item.claimed_by or "" if held else "",
        mine=held and item.claimed_by == login,
        until=item.claimed_until if held else None,
        alike=alike,
    )
