"""Teams and skills of people, what queues take, and which part of the queue a person therefore works."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from governance.actors import Actor
from governance.audit import service as audit
from governance.people import queries as people_queries
from governance.people import service as people
from kit.db import send_after_commit
from kit.errors import Invalid, Place
from rollout.agents import queries as agents
from routing.domain.reach import House, Need, Reach, Reviewer, able, leads_of, reach, staffed
from routing.skills import queries
from routing.skills.tables import QueueNeeds, ReviewerSkills

CHANGED = "reviews:changed"


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue that says what it takes, with who has it and who leads it."""

    need: Need
    able: list[str]
    leads: list[str]

    @property
    def unstaffed(self) -> bool:
        return not self.able

    @property
    def words(self) -> str:
        need = self.need
        takes = [f"team {need.team}"] * (need.team is not None) + [f"skill {skill}" for skill in sorted(need.skills)]
        return f"{need.agent}{f' / {need.segment}' if need.segment else ''}: {', '.join(takes) or 'a reviewer'}"


def reach_of(session: Session, actor: Actor, levels: Iterable[int], needs: Sequence[Need] | None = None) -> Reach:
    """What this person is dealt. Where no queue says what it takes: everything in their lines."""
    needs = all_needs(session) if needs is None else needs
    if not needs:
        return Reach(tuple(levels))
    staff = staff_of(session)
    nobody = Reviewer(actor.name, lead=actor.allows("escalated"))
    who = next((one for one in staff if one.login == actor.name), nobody)
    return reach(who, levels, needs, staff)


def staff_of(session: Session) -> list[Reviewer]:
    """Everybody who reviews."""
    return [
        Reviewer(
            person.login,
            frozenset(known.teams if known is not None else ()),
            frozenset(known.skills if known is not None else ()),
            lead=actor.allows("escalated"),
        )
        for person, known in queries.people(session)
        if (actor := people.actor_of(person)).allows("review")
    ]


def queues(session: Session) -> list[Queue]:
    """All queues that say what they take."""
    needs = [_need(row) for row in queries.needs(session)]
    staff = staff_of(session) if needs else []
    return [
        Queue(need, [one.login for one in able(need, staff)], [one.login for one in leads_of(need, staff)])
        for need in needs
    ]


def all_needs(session: Session) -> list[Need]:
    return [_need(row) for row in queries.needs(session)]


def needs_of(session: Session, agent: str) -> list[Need]:
    return [_need(row) for row in queries.needs(session, agent)]


def unstaffed(session: Session) -> list[Queue]:
    """Queues for which nobody has what they take; their leads get the cases."""
    return [queue for queue in queues(session) if queue.unstaffed]


def dealt_to(session: Session, agent: str, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], frozenset[str]]:
    """Everybody who is dealt the cases of these segments of an agent, by segment and line."""
    staff = staff_of(session)
    needs = {need.segment: need for need in needs_of(session, agent)}
    rest = needs.get("", Need(agent))
    return {(segment, level): staffed(needs.get(segment, rest), staff).dealt(level) for segment, level in set(places)}


def house(session: Session) -> House:
    """Everybody who reviews, and what all queues take."""
    return House(staff_of(session), [_need(row) for row in queries.needs(session)])


def may_arrange(actor: Actor) -> None:
    """Raise Forbidden unless this is a lead or an admin."""
    if not actor.allows("escalated"):
        actor.require("administer")


def set_person(
    session: Session, login: str, *, teams: Iterable[str], skills: Iterable[str], by: Actor | str, now: datetime
) -> ReviewerSkills:
    """Give a person exactly these teams and skills."""
    if people_queries.find_person_locked(session, login) is None:  # two at once come one after the other
        people_queries.get_person(session, login)
    row = session.get(ReviewerSkills, login, populate_existing=True)
    before = {"teams": row.teams, "skills": row.skills} if row is not None else {"teams": [], "skills": []}
    wanted = {"teams": sorted(set(teams)), "skills": sorted(set(skills))}
    if row is None:
        row = ReviewerSkills(login=login, **wanted)
        session.add(row)
    row.teams, row.skills = wanted["teams"], wanted["skills"]
    if wanted != before:
        audit.record(session, by, "person.skills_set", login, now=now, before=before, after=wanted)
        send_after_commit(session, CHANGED)
    return row


def set_queues(session: Session, agent: str, needs: Sequence[Need], *, by: Actor | str, now: datetime) -> list[Need]:
    """Say what the queues of this agent take: exactly these; none: everybody is dealt its cases."""
    agents.lock_agent(session, agent)  # two at once come one after the other
    segments = [need.segment for need in needs]
    twice = next((segment for segment in segments if segments.count(segment) > 1), None)
    if twice is not None:
        place = Place("queues", f"the segment “{twice}” is named twice", "name it once")
        raise Invalid(f"queues: the segment “{twice}” is named twice", places=[place])
    before = [_plain(need) for need in needs_of(session, agent)]
    wanted = sorted(needs, key=lambda need: need.segment)
    if (plain := [_plain(need) for need in wanted]) != before:
        queries.forget_needs(session, agent)
        session.add_all(
            QueueNeeds(agent=agent, segment=need.segment, team=need.team, skills=sorted(need.skills)) for need in wanted
        )
        audit.record(session, by, "agent.queues_set", agent, now=now, agent=agent, before=before, queues=plain)
        send_after_commit(session, CHANGED)
        send_after_commit(session, "policies:changed")  # every process has it in its snapshot
    return wanted


def set_queue(session: Session, need: Need, *, by: Actor | str, now: datetime) -> None:
    """Say what one queue takes, and leave the agent's others as they are."""
    agents.lock_agent(session, need.agent)  # before the others are read, so that two at once keep both
    others = [one for one in needs_of(session, need.agent) if one.segment != need.segment]
    set_queues(session, need.agent, [*others, need], by=by, now=now)


def forget_queue(session: Session, agent: str, segment: str, *, by: Actor | str, now: datetime) -> None:
    """Take back what was said of one queue."""
    agents.lock_agent(session, agent)
    others = [one for one in needs_of(session, agent) if one.segment != segment]
    set_queues(session, agent, others, by=by, now=now)


def _need(row: QueueNeeds) -> Need:
    return Need(row.agent, row.segment, row.team, frozenset(row.skills))


def _plain(need: Need) -> dict[str, object]:
    return {"segment": need.segment, "team": need.team, "skills": sorted(need.skills)}
