"""What one ruled on oneself, to look at afterwards: the list, and one case as it was. Nothing here can be changed."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from kit.http import Ctx
from review_ui import past_views as views
from review_ui.desk_views import case_of
from review_ui.opinions_views import one_of_two
from review_ui.pages import ViewerDep, go, render
from routing.reviewer import past
from routing.reviews.api import agent_entry

router = APIRouter(prefix="/review/past", include_in_schema=False)

PAGE = 50


@router.get("")
def show_list(
    request: Request, viewer: ViewerDep, ctx: Ctx, before: Annotated[UUID | None, Query()] = None
) -> Response:
    """The rulings of who is signed in, the newest first."""
    viewer.actor.require("review")
    with ctx.db.read() as session:
        found = past.page(session, viewer.login, before, PAGE + 1, ctx.clock.now())
    return render(
        request,
        "past/list.html",
        viewer=viewer,
        rows=[views.row_of(line, views.reasons_of(request, line.item.agent)) for line in found[:PAGE]],
        more=found[PAGE - 1].item.id if len(found) > PAGE else None,
        first=before is None,
    )


@router.get("/{item_id}")
def show_case(request: Request, item_id: UUID, viewer: ViewerDep, ctx: Ctx) -> Response:
    """One of them as it was ruled. A gold case whose result is told has its own page."""
    viewer.actor.require("review")
    now = ctx.clock.now()
    with ctx.db.read() as session:
        if past.told_as_gold(session, viewer.login, item_id, now):
            return go(f"/review/gold/{item_id}")
        found = past.past(session, viewer.actor, item_id)
        entry = agent_entry(request, found.item.agent)
        two = [one_of_two(one, found.decision, entry) for one in found.opinions]
        pair = found.judged.pair if found.judged is not None else None
        case = case_of(found.item, found.decision, entry, now, answer=found.answer, opinions=two, pair=pair)
        shown = views.past_view(found, entry)
    return render(request, "past/case.html", viewer=viewer, case=case, past=shown, now=now)
