"""What people's verdicts are worth; for those who answer for them."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from kit.http import Ctx
from review_ui import judging_views, opinions_views, people_views
from review_ui.agent import AgentName, Version, head_of, names_of
from review_ui.pages import ViewerDep, render
from rollout.agents import queries as agent_queries
from routing.judgements import judges
from routing.judgements import queries as judgements
from routing.judgements.figures import figures
from routing.opinions import report as opinions
from routing.people import service as people

router = APIRouter(include_in_schema=False)

WINDOWS = (28, 90, 365)
_DEFAULT_WINDOW = 90
_Text = Annotated[str, Query(max_length=64, pattern=r"^[^\x00]*$")]


@router.get("/agents/{name}/people")
def show_people(
    request: Request,
    name: AgentName,
    viewer: ViewerDep,
    ctx: Ctx,
    version: Version = "",
    days: _Text = "",
) -> Response:
    people.require_reader(viewer.actor)
    now = ctx.clock.now()
    window = int(days) if days in map(str, WINDOWS) else _DEFAULT_WINDOW
    with ctx.db.read() as session:
        agent = agent_queries.get_agent(session, name)
        names = names_of(session)
        head = head_of(session, agent, version, names, now)
        scope = people.scope_of(name, None, now - timedelta(days=window), now, now)
        seconds = opinions.report(session, scope)
        report = people.report(session, scope)
        judged = figures(judgements.asked(session, scope))
        for_nobody = judges.for_nobody(session, scope)
    return render(
        request,
        "people_report/page.html",
        viewer=viewer,
        head=head,
        window=window,
        windows=WINDOWS,
        agreement=people_views.agreement_view(report.agreement),
        strength=people_views.strength(report.agreement),
        arms=people_views.arms_rows(report.arms),
        blind=people_views.blind_rows(report.blind),
        right=people_views.right_view(report),
        gold=people_views.gold_view(report),
        seconds=opinions_views.opinions_view(seconds, names),
        judged=judging_views.judged_view(judged, names, for_nobody=for_nobody),
        cut=report.cut,
        tab="people",
        actions=[],
        now=now,
    )
