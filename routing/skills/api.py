"""Teams and skills over HTTP."""

from fastapi import APIRouter

from governance.people.api import ActorDep
from kit.http import Ctx, StrictRoute
from routing.domain.reach import Need
from routing.skills import service
from routing.skills.schemas import QueuesIn, QueueStaffOut, ReviewerOut, SkillsIn, SkillsOut, TeamsOut

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["teams"])


@router.get("/teams")
def show(actor: ActorDep, ctx: Ctx) -> TeamsOut:
    """Who reviews, in which teams and with which skills; which queues take what, and who can work them."""
    actor.require("read")
    with ctx.db.read() as session:
        staff = [
            ReviewerOut(login=one.login, teams=sorted(one.teams), skills=sorted(one.skills), lead=one.lead)
            for one in service.staff_of(session)
        ]
        return TeamsOut(people=staff, queues=[_shown(queue) for queue in service.queues(session)])


def _shown(queue: service.Queue) -> QueueStaffOut:
    need = queue.need
    told = {"agent": need.agent, "segment": need.segment, "team": need.team, "skills": sorted(need.skills)}
    return QueueStaffOut(**told, able=queue.able, leads=queue.leads)


@router.put("/people/{login}/skills")
def set_person(login: str, body: SkillsIn, actor: ActorDep, ctx: Ctx) -> SkillsOut:
    """Give a person exactly these teams and skills; for leads and admins."""
    service.may_arrange(actor)
    with ctx.db.begin() as session:
        row = service.set_person(session, login, teams=body.teams, skills=body.skills, by=actor, now=ctx.clock.now())
        return SkillsOut.model_validate(row)


@router.put("/agents/{agent}/queues")
def set_queues(agent: str, body: QueuesIn, actor: ActorDep, ctx: Ctx) -> TeamsOut:
    """Say what the queues of an agent take, exactly so; for leads and admins. Answers as `GET /v1/teams` does."""
    service.may_arrange(actor)
    needs = [Need(agent, queue.segment, queue.team, frozenset(queue.skills)) for queue in body.queues]
    with ctx.db.begin() as session:
        service.set_queues(session, agent, needs, by=actor, now=ctx.clock.now())
    return show(actor, ctx)
