"""Who is in which teams and has which skills, and what the queues take."""

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from kit.tables import Table


class ReviewerSkills(Table):
    """The teams and skills of a person. Without a row: none."""

    __tablename__ = "reviewer_skills"

    login: Mapped[str] = mapped_column(ForeignKey("people.login"), primary_key=True)
    teams: Mapped[list[str]]
    skills: Mapped[list[str]]


class QueueNeeds(Table):
    """Whose an agent's queue is, or that of one segment, and what its cases take. Without a row: everybody's."""

    __tablename__ = "queue_needs"

    agent: Mapped[str] = mapped_column(ForeignKey("agents.name"), primary_key=True)
    segment: Mapped[str] = mapped_column(String(128), primary_key=True)  # empty: those that have no row of their own
    team: Mapped[str | None] = mapped_column(String(64))
    skills: Mapped[list[str]]
