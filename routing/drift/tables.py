"""What kinds of cases came in, counted by day, so that a change of the mix can be seen without any verdict."""

from datetime import date
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from kit.tables import Table


class AttributeTotal(Table):
    """Cases of one day with one value of one attribute. `confidence` and `segment` are counted like attributes."""

    __tablename__ = "attribute_totals"

    rollout_id: Mapped[UUID] = mapped_column(ForeignKey("rollouts.id"), primary_key=True)
    attribute: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(String(64), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)  # UTC day of decided_at
    cases: Mapped[int]
