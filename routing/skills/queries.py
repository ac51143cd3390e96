"""Statements on teams, skills and what queues take: small tables, read whole."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from governance.people.tables import Person
from routing.skills.tables import QueueNeeds, ReviewerSkills


def needs(session: Session, agent: str | None = None) -> Sequence[QueueNeeds]:
    wanted = select(QueueNeeds).order_by(QueueNeeds.agent, QueueNeeds.segment)
    return session.scalars(wanted if agent is None else wanted.where(QueueNeeds.agent == agent)).all()


def people(session: Session) -> Sequence[tuple[Person, ReviewerSkills | None]]:
    """Everybody who is not disabled, with what is known of them."""
    known = select(Person, ReviewerSkills).outerjoin(ReviewerSkills, ReviewerSkills.login == Person.login)
    rows = session.execute(known.where(Person.disabled_at.is_(None)).order_by(Person.login))
    return [(person, skills) for person, skills in rows.all()]


def forget_needs(session: Session, agent: str) -> None:
    session.execute(delete(QueueNeeds).where(QueueNeeds.agent == agent))
