"""
Teams and skills: who works what, to look at for those who answer for people, and to arrange for leads and admins.

Ordinary forms. What would leave a queue to nobody who has what it takes is asked once more before it is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from governance.people.queries import get_person
from kit.errors import Forbidden, NotFound
from kit.http import Ctx
from review_ui import teams_views as views
from review_ui.agent import names_of
from review_ui.desk import AgentQuery
from review_ui.pages import FormDep, Posted, Viewer, ViewerDep, go, render
from rollout.agents import queries as agent_queries
from routing.domain.reach import House, Need, Reviewer
from routing.people import service as people
from routing.skills import service
from routing.skills.schemas import (
    LONGEST_SEGMENT,
    LONGEST_TAG,
    MOST_SKILLS,
    MOST_SKILLS_OF_A_QUEUE,
    MOST_TEAMS,
    Tag,
)

router = APIRouter(prefix="/teams", include_in_schema=False)

Login = Annotated[str, Path(max_length=128, pattern=r"^[^\x00]*$")]
Segment = Annotated[str, Query(max_length=LONGEST_SEGMENT, pattern=r"^[^\x00]*$")]
_TAG: TypeAdapter[str] = TypeAdapter(Tag)


@dataclass(slots=True)
class Draft:
    """What stands in a form, what is wrong with it, and what it would do that has to be asked first."""

    typed: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    asked: Sequence[str] = ()

    def tags(self, name: str, what: str, most: int) -> list[str]:
        """The words of a field; what is none is told beside it."""
        said = self.typed[name].replace(",", " ").split()
        wrong = next((one for one in said if not _is_tag(one)), None)
        if wrong is not None:
            self.errors[name] = (
                f"“{wrong}” is no {what}: write it in small letters and digits, with dots, dashes or underscores "
                f"inside, at most {LONGEST_TAG} of them, like {what}-2"
            )
        elif len(said) > most:
            self.errors[name] = f"these are {len(said)}, and at most {most} can be kept"
        return said


@router.get("")
def show(request: Request, viewer: ViewerDep, ctx: Ctx) -> Response:
    people.require_reader(viewer.actor)
    with ctx.db.read() as session:
        house, names = service.house(session), names_of(session)
        queues = views.queue_rows(session, house, names)
        agents = [row.name for row in agent_queries.agents(session)]
    return render(
        request,
        "teams/page.html",
        viewer=viewer,
        may=_may(viewer),
        headline=views.headline(house, queues),
        queues=queues,
        teams=views.team_rows(house, names),
        persons=views.person_rows(house, names),
        arranged=bool(house.needs) or any(one.teams or one.skills for one in house.staff),
        agents=agents,
    )


@router.get("/people/{login}")
def show_person(request: Request, login: Login, viewer: ViewerDep, ctx: Ctx) -> Response:
    service.may_arrange(viewer.actor)
    with ctx.db.read() as session:
        who = _reviewer(service.house(session), login)
    typed = {"teams": ", ".join(sorted(who.teams)), "skills": ", ".join(sorted(who.skills))}
    return _person(request, viewer, ctx, login, Draft(typed))


@router.post("/people/{login}")
def set_person(request: Request, login: Login, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """Give a person exactly these teams and skills."""
    service.may_arrange(viewer.actor)
    draft = Draft({"teams": form.text("teams"), "skills": form.text("skills")})
    teams = draft.tags("teams", "team", MOST_TEAMS)
    skills = draft.tags("skills", "skill", MOST_SKILLS)
    if draft.errors:
        return _person(request, viewer, ctx, login, draft)
    with ctx.db.begin() as session:
        before = service.house(session)
        who = _reviewer(before, login)
        changed = Reviewer(login, frozenset(teams), frozenset(skills), who.lead)
        staff = [changed if one.login == login else one for one in before.staff]
        told, draft.asked = _effects(session, before, House(staff, before.needs), form)
        if not draft.asked:
            service.set_person(session, login, teams=teams, skills=skills, by=viewer.actor, now=ctx.clock.now())
    return _person(request, viewer, ctx, login, draft) if draft.asked else go("/teams", said=told)


@router.get("/queue")
def show_queue(
    request: Request, viewer: ViewerDep, ctx: Ctx, agent: AgentQuery = "", segment: Segment = ""
) -> Response:
    """What one queue takes, to change; without an agent a queue of which nothing is said so far."""
    service.may_arrange(viewer.actor)
    with ctx.db.read() as session:
        need = next((one for one in service.needs_of(session, agent) if one.segment == segment), None)
    if agent and need is None:
        raise NotFound(f"nothing is said of this queue of {agent}")
    typed = {"agent": agent, "segment": segment, "team": "", "skills": ""}
    if need is not None:
        typed |= {"team": need.team or "", "skills": ", ".join(sorted(need.skills))}
    return _queue(request, viewer, ctx, Draft(typed), known=need is not None)


@router.post("/queue")
def set_queue(request: Request, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """Say what a queue takes; the agent's other queues stay as they are."""
    service.may_arrange(viewer.actor)
    known = form.text("known") == "1"
    draft = Draft({name: form.text(name).strip() for name in ("agent", "segment", "team", "skills")})
    need = _need(draft)
    if not draft.errors:
        with ctx.db.begin() as session:
            before = service.house(session)
            others = [one for one in before.needs if (one.agent, one.segment) != (need.agent, need.segment)]
            draft.errors |= _refused(session, need, new=not known, said=len(others) < len(before.needs))
            told, draft.asked = _effects(session, before, House(before.staff, [*others, need]), form)
            if not draft.asked and not draft.errors:
                service.set_queue(session, need, by=viewer.actor, now=ctx.clock.now())
                return go("/teams", said=told)
    return _queue(request, viewer, ctx, draft, known=known)


@router.post("/queue/forget")
def forget_queue(request: Request, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """Take back what was said of a queue."""
    service.may_arrange(viewer.actor)
    draft = Draft({name: form.text(name) for name in ("agent", "segment", "team", "skills")})
    agent, segment = draft.typed["agent"], draft.typed["segment"]
    with ctx.db.begin() as session:
        before = service.house(session)
        others = [one for one in before.needs if (one.agent, one.segment) != (agent, segment)]
        told, draft.asked = _effects(session, before, House(before.staff, others), form)
        if not draft.asked:
            service.forget_queue(session, agent, segment, by=viewer.actor, now=ctx.clock.now())
            return go("/teams", said=told)
    return _queue(request, viewer, ctx, draft, known=True, forget=True)


def _refused(session: Session, need: Need, *, new: bool, said: bool) -> dict[str, str]:
    if agent_queries.find_agent(session, need.agent) is None:
        return {"agent": "there is no such agent; choose one"}
    if new and said:
        return {"segment": "it is said already what this queue takes; change it in the list"}
    return {}


def _need(draft: Draft) -> Need:
    typed = draft.typed
    team = draft.tags("team", "team", 1)
    skills = draft.tags("skills", "skill", MOST_SKILLS_OF_A_QUEUE)
    if not typed["agent"]:
        draft.errors["agent"] = "choose whose queue it is"
    if len(typed["segment"]) > LONGEST_SEGMENT:
        draft.errors["segment"] = f"a segment has at most {LONGEST_SEGMENT} characters"
    if not typed["team"] and not typed["skills"]:
        draft.errors["team"] = "name a team or a skill; a queue that takes neither is everybody's"
    return Need(typed["agent"], typed["segment"], team[0] if team else None, frozenset(skills))


def _effects(session: Session, before: House, after: House, form: Posted) -> tuple[str, list[str]]:
    """What to say when it is stored, and what to ask before, unless it was asked."""
    found = views.effects(session, before, after, names_of(session))
    asked = [one.words for one in found if one.left] if form.text("sure") != "1" else []
    return views.told(found), asked


def _is_tag(text: str) -> bool:
    try:
        _TAG.validate_python(text)
    except ValidationError:
        return False
    return True


def _reviewer(house: House, login: str) -> Reviewer:
    found = next((one for one in house.staff if one.login == login), None)
    if found is None:
        raise NotFound(f"nobody with the login {login} reviews")
    return found


def _person(request: Request, viewer: Viewer, ctx: Any, login: str, draft: Draft) -> Response:
    with ctx.db.read() as session:
        person = get_person(session, login)
        house = service.house(session)
    return _form(request, viewer, "teams/person.html", draft, house, person=person)


def _queue(request: Request, viewer: Viewer, ctx: Any, draft: Draft, *, known: bool, forget: bool = False) -> Response:
    with ctx.db.read() as session:
        house = service.house(session)
        agents = [row.name for row in agent_queries.agents(session)]
    return _form(request, viewer, "teams/queue.html", draft, house, agents=agents, known=known, forget=forget)


def _form(request: Request, viewer: Viewer, template: str, draft: Draft, house: House, **values: Any) -> Response:
    teams = {team for one in house.staff for team in one.teams} | {need.team for need in house.needs if need.team}
    skills = {skill for one in house.staff for skill in one.skills} | {
        skill for need in house.needs for skill in need.skills
    }
    status = 422 if draft.errors else 409 if draft.asked else 200
    known = {"known_teams": sorted(teams), "known_skills": sorted(skills)}
    return render(request, template, viewer=viewer, status=status, draft=draft, **known, **values)


def _may(viewer: Viewer) -> bool:
    try:
        service.may_arrange(viewer.actor)
    except Forbidden:
        return False
    return True
