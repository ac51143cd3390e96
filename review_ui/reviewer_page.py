"""One reviewer's work: the page that is theirs, and what of it those who answer for people see."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, cast

from fastapi import APIRouter, Path, Query, Request, Response

from evidence.agreement.reviewers import GOLD_NEEDED
from governance.people.queries import get_person
from kit.http import Ctx
from review_ui import reviewer_views as views
from review_ui.pages import Viewer, ViewerDep, render
from routing.reviewer import service
from routing.reviewer.service import OwnReport
from routing.snapshot import SnapshotHolder

router = APIRouter(include_in_schema=False)

WINDOWS = (28, 90, 365)
_DEFAULT_WINDOW = 90
Days = Annotated[str, Query(max_length=8, pattern=r"^[^\x00]*$")]
Login = Annotated[str, Path(max_length=128, pattern=r"^[^\x00]*$")]


@router.get("/review/me")
def show_own(request: Request, viewer: ViewerDep, ctx: Ctx, days: Days = "") -> Response:
    """For who signed in, about themselves."""
    return _page(request, viewer, ctx, viewer.login, days)


@router.get("/team/{login}")
def show_reviewer(request: Request, login: Login, viewer: ViewerDep, ctx: Ctx, days: Days = "") -> Response:
    """The same for those who answer for this person, without the pace."""
    service.require_reader(viewer.actor, login)
    return _page(request, viewer, ctx, login, days)


def _page(request: Request, viewer: Viewer, ctx: Any, login: str, days: str) -> Response:
    own = service.is_own(viewer.actor, login)
    window = int(days) if days in map(str, WINDOWS) else _DEFAULT_WINDOW
    now = ctx.clock.now()
    with ctx.db.read() as session:
        person = get_person(session, login)
        name = person.name
        scope = service.scope_of(login, now - timedelta(days=window), now, now)
        report = service.report(session, scope, own=own)
        gold = views.gold_view(report)
        misses = views.misses(report, _reasons(request, report), own=own)
    return render(
        request,
        "reviewer/page.html",
        viewer=viewer,
        own=own,
        name=name,
        address="/review/me" if own else f"/team/{login}",
        window=window,
        windows=WINDOWS,
        summary=views.summary(report, window),
        gold=gold,
        gold_needed=GOLD_NEEDED,
        misses=misses,
        overturned=report.overturned_count,
        same=views.same_view(report),
        arms=views.sway_rows(report),
        pace=views.pace_view(report),
        cut=report.cut,
        now=now,
    )


def _reasons(request: Request, report: OwnReport) -> Mapping[str, Mapping[str, str]]:
    """The words of the reasons, by agent and code, from this process's snapshot."""
    holder = cast("SnapshotHolder", request.app.state.holder)
    entries = {agent: holder.agent(agent) for agent in {row.agent for row in report.overturned}}
    return {
        agent: {reason.code: reason.words for reason in entry.settings.reasons}
        for agent, entry in entries.items()
        if entry is not None
    }
