"""The team page: how the work stands, who may need help, and how many people it takes. For those who lead."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from kit.errors import Invalid
from kit.http import Ctx
from review_ui import team_views, week_views
from review_ui.agent import names_of
from review_ui.desk import AgentQuery
from review_ui.numbers import typed_number
from review_ui.pages import ViewerDep, render
from rollout.agents import queries as agent_queries
from routing.people import service as people
from routing.skills import service as skills
from routing.staffing import service as staffing
from routing.staffing.service import Wish
from routing.team import service

router = APIRouter(include_in_schema=False)

WINDOWS = (7, 28, 90)
_DEFAULT_WINDOW = 28
_Text = Annotated[str, Query(max_length=64, pattern=r"^[^\x00]*$")]
_MOST_MINUTES = 10_080.0
_MOST_PEOPLE = 100_000


@router.get("/team")
def show_team(
    request: Request,
    viewer: ViewerDep,
    ctx: Ctx,
    *,
    agent: AgentQuery = "",
    days: _Text = "",
    within: _Text = "60",
    share: _Text = "90",
    minutes: _Text = "",
    reviewers: _Text = "",
    zone: _Text = "UTC",
) -> Response:
    people.require_reader(viewer.actor)
    now = ctx.clock.now()
    window = int(days) if days in map(str, WINDOWS) else _DEFAULT_WINDOW
    since = now - timedelta(days=window)
    typed = {"within": within, "share": share, "minutes": minutes, "reviewers": reviewers, "zone": zone}
    wish, errors = _wish(agent or None, typed)
    with ctx.db.read() as session:
        unstaffed = [queue.words for queue in skills.unstaffed(session)]
        agents = [row.name for row in agent_queries.agents(session)]
        if agent:
            agent_queries.get_agent(session, agent)
        names = names_of(session)
        found = service.standing(session, agent or None, since=since, now=now)
        of_one = agent or (agents[0] if len(agents) == 1 else "")
        compared = service.compared(session, people.scope_of(of_one, None, since, now, now)) if of_one else None
        try:
            plan = staffing.plan(session, wish, now=now)
        except Invalid:
            errors["zone"] = "It is not a time zone; write one like Europe/Zurich."
            plan = staffing.plan(session, replace(wish, zone="UTC"), now=now)
    return render(
        request,
        "team/page.html",
        viewer=viewer,
        unstaffed=unstaffed,
        status=422 if errors else 200,
        agent=agent,
        agents=agents,
        of_one=of_one,
        window=window,
        windows=WINDOWS,
        typed=typed,
        errors=errors,
        headline=team_views.headline(found),
        ages=team_views.AGES,
        queues=team_views.queue_rows(found),
        counted_all=found.counted_all,
        ended=team_views.ended_rows(found),
        load=found.load,
        concerns=team_views.concern_rows(compared, names) if compared else [],
        persons=team_views.person_rows(compared, names) if compared else [],
        matrix=team_views.matrix(compared.agreement, names) if compared else None,
        cut=compared is not None and compared.cut,
        plan=plan,
        week=week_views.week_view(plan),
        rulings_needed=staffing.RULINGS_NEEDED,
        now=now,
    )


def _wish(agent: str | None, typed: Mapping[str, str]) -> tuple[Wish, dict[str, str]]:
    """What was asked, and what of it cannot be; that is left at what it is without being asked."""
    wish, errors = Wish(agent=agent), dict[str, str]()
    changes: dict[str, Any] = {"zone": typed["zone"].strip() or "UTC"}
    within = _number(typed["within"], 0.0, _MOST_MINUTES)
    percent = _number(typed["share"], 0.0, 100.0)
    if within is None:
        errors["within"] = "Write minutes, from 0 to a week."
    else:
        changes["within_minutes"] = within
    if percent is None or not 0.0 < percent < 100.0:  # noqa: PLR2004 - percent
        errors["share"] = "Write a percentage between 0 and 100, neither of them."
    else:
        changes["share"] = percent / 100.0
    if typed["minutes"].strip():
        minutes = _number(typed["minutes"], 0.01, _MOST_MINUTES)
        if minutes is None:
            errors["minutes"] = "Write minutes above 0, or leave it empty to use what was measured."
        changes["minutes_per_review"] = minutes
    if typed["reviewers"].strip():
        there = _number(typed["reviewers"], 0.0, _MOST_PEOPLE)
        if there is None or there != int(there):
            errors["reviewers"] = "Write a whole number, or leave it empty."
        else:
            changes["reviewers"] = int(there)
    return replace(wish, **changes), errors


def _number(text: str, least: float, most: float) -> float | None:
    number = typed_number(text)
    return number if number is not None and least <= number <= most else None
