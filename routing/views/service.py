"""Saving a view of the queue, and showing it to a team."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from governance.actors import Actor
from governance.audit import service as audit
from governance.people import queries as people
from kit.errors import Forbidden, Invalid, NotFound, Place
from routing.skills import service as skills
from routing.views import queries
from routing.views.schemas import ViewIn, ViewOfQueue
from routing.views.tables import QueueView

EVERYBODY = "*"
_MOST = 50


def seen_by(session: Session, actor: Actor) -> Sequence[QueueView]:
    """A person's own views, then those shown to them."""
    return queries.seen_by(session, actor.name, {*_teams_of(session, actor), EVERYBODY})


def first_of(session: Session, actor: Actor) -> QueueView | None:
    """What this person chose to see first."""
    return queries.first_of(session, actor.name)


def save(session: Session, name: str, view: ViewIn, *, by: Actor, now: datetime) -> QueueView:
    """Save it as this person's, in place of the one of that name."""
    people.find_person_locked(session, by.name)  # two of one name at once come one after the other
    if view.team is not None:
        _may_show(session, view.team, by)
    row = queries.find(session, by.name, name)
    if row is None:
        if queries.how_many(session, by.name) >= _MOST:
            place = Place("name", f"you have {_MOST} views", "remove one first")
            raise Invalid(f"name: you have {_MOST} views", places=[place])
        row = QueueView(login=by.name, name=name)
        session.add(row)
    before = row.team
    row.team, row.opens = view.team, view.opens
    row.wanted = ViewOfQueue(**view.model_dump(include=set(ViewOfQueue.model_fields))).model_dump()
    if view.opens:
        queries.open_no_other(session, by.name, name)
    if view.team != before or view.team is not None:
        told = {"view": name, "team": view.team, "wanted": row.wanted}
        audit.record(session, by, "queue_view.shown", by.name, now=now, agent=view.agent or None, **told)
    return row


def remove(session: Session, name: str, *, by: Actor) -> None:
    if not queries.remove(session, by.name, name):
        raise NotFound(f"you have no view “{name}”")


def shown_to(session: Session, actor: Actor) -> list[str]:
    """To whom this person may show a view: a lead to their teams and to everybody."""
    return [*sorted(_teams_of(session, actor)), EVERYBODY] if actor.allows("escalated") else []


def _teams_of(session: Session, actor: Actor) -> frozenset[str]:
    return next((one.teams for one in skills.staff_of(session) if one.login == actor.name), frozenset())


def _may_show(session: Session, team: str, by: Actor) -> None:
    if not by.allows("escalated"):
        raise Forbidden("only a lead shows a view to others; save it for yourself")
    if team != EVERYBODY and team not in _teams_of(session, by):
        raise Forbidden(f"you are not in the team {team}; show it to a team of yours, or to everybody (*)")
