"""The queue: what waits for a person, in the order in which it is handed out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from kit.http import Ctx
from review_ui.desk import AgentQuery
from review_ui.pages import ViewerDep, render
from review_ui.together import selectable
from routing.alike.api import agents_of
from routing.reviews import queries, service
from routing.reviews.dealing import queries as dealing
from routing.reviews.dealing.lines import Narrow
from routing.reviews.tables import ReviewItem
from routing.skills import service as skills

router = APIRouter(prefix="/review", include_in_schema=False)

PAGE = 50
Page = Annotated[int, Query(ge=1, le=10_000)]
Kind = Literal["", "review", "audit", "escalated"]
Segment = Annotated[str, Query(max_length=128, pattern=r"^[^\x00]*$")]
Case = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of the queue is looked at; as an address it is a saved view."""

    agent: str = ""
    segment: str = ""  # of that agent
    kind: str = ""
    urgent: bool = False
    late: bool = False
    case: str = ""  # wherever it waits

    @property
    def narrowed(self) -> bool:
        return bool(self.segment or self.kind or self.urgent or self.late or self.case)

    @property
    def too_narrow(self) -> bool:
        """The queue is not kept by segment and kind at once: the segment is shown, of any kind."""
        return bool(self.segment) and self.kind in {"review", "audit"}

    def address(self, page: int = 1) -> str:
        said = {"agent": self.agent, "segment": self.segment, "kind": self.kind}
        said |= {"urgent": "1" if self.urgent else "", "late": "1" if self.late else ""}
        said |= {"case": self.case, "page": str(page) if page > 1 else ""}
        asked = urlencode({name: value for name, value in said.items() if value})
        return "/review/queue" + (f"?{asked}" if asked else "")

    def narrow(self, now: datetime) -> Narrow:
        if self.case:
            return Narrow(case_id=self.case)
        return Narrow(
            agent=self.agent or None,
            segment=self.segment or None,
            kind=self.kind if self.kind in {"review", "audit"} and not self.segment else None,
            urgent=self.urgent,
            due_before=now if self.late else None,
        )


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
    segment: Segment = "",
    kind: Kind = "",
    urgent: bool = False,
    late: bool = False,
    case: Case = "",
    page: Page = 1,
) -> Response:
    viewer.actor.require("review")
    now = ctx.clock.now()
    wanted = Wanted(agent, segment if agent else "", kind, urgent, late, case.strip())
    with ctx.db.read() as session:
        reach = service.reach_of(session, viewer.actor)
        shown = reach.only([2]) if kind == "escalated" and not wanted.case else reach
        narrow = wanted.narrow(now)
        alike = selectable(session, viewer, agents_of(request), now)
        found = dealing.open_page(session, narrow=narrow, reach=shown, offset=(page - 1) * PAGE, limit=PAGE + 1)
        unstaffed = skills.unstaffed(session) if viewer.actor.allows("escalated") else []
        waiting = queries.waiting_counts(session, reach)
    return render(
        request,
        "queue/page.html",
        viewer=viewer,
        rows=[_row(item, viewer.login, now, alike.get(item.id, "")) for item in found[:PAGE]],
        may_select=any(item.id in alike for item in found[:PAGE]),
        waiting=sorted(waiting.items()),
        left=waiting.get(agent, 0) if agent else min(sum(waiting.values()), dealing.COUNTED_UP_TO),
        unstaffed=[queue.words for queue in unstaffed],
        wanted=wanted,
        agent=agent,
        page=page,
        more=len(found) > PAGE,
        now=now,
    )


def _row(item: ReviewItem, login: str, now: datetime, alike: str) -> Row:
    held = item.claimed_by is not None and (item.claimed_until or now) >= now
    return Row(
        id=item.id,
        case_id=item.case_id,
        agent=item.agent,
        version=item.version,
        kind="escalated" if item.level > 1 else item.shown_kind,
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
