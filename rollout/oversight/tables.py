"""Readiness answers and the periodic reviews that people held."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from kit.ids import new_id
from kit.tables import Table


class ReadinessAnswer(Table):
    """The present answer to one item of the checklist; an unknown is a no."""

    __tablename__ = "readiness_answers"

    rollout_id: Mapped[UUID] = mapped_column(ForeignKey("rollouts.id"), primary_key=True)
    item: Mapped[str] = mapped_column(String(64), primary_key=True)
    answer: Mapped[str] = mapped_column(String(8))  # yes | no | unknown
    link: Mapped[str] = mapped_column(Text)
    owner: Mapped[str] = mapped_column(String(128))
    due: Mapped[date | None]
    answered_at: Mapped[datetime]
    answered_by: Mapped[str] = mapped_column(String(128))


class PeriodicReview(Table):
    """A review that was held: who signed, what was decided, on which figures."""

    __tablename__ = "periodic_reviews"
    __table_args__ = (Index(None, "agent", "held_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    agent: Mapped[str] = mapped_column(ForeignKey("agents.name"))
    held_at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(128))
    decision: Mapped[str] = mapped_column(String(200))
    note: Mapped[str] = mapped_column(Text)
    figures: Mapped[dict[str, Any]]
