"""Reported production errors: investigated, closed, and turned into evaluation cases."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from kit.dialects import Json
from kit.ids import new_id
from kit.tables import Table


class Failure(Table):
    __tablename__ = "failures"
    __table_args__ = (Index(None, "agent", "state"), Index(None, "decision_id"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    agent: Mapped[str] = mapped_column(ForeignKey("agents.name"))
    version: Mapped[str] = mapped_column(String(128))
    rollout_id: Mapped[UUID | None] = mapped_column(ForeignKey("rollouts.id"))
    decision_id: Mapped[UUID | None]  # no foreign key: decisions live in partitions and may be archived
    case_id: Mapped[str | None] = mapped_column(String(200))
    severity: Mapped[str] = mapped_column(String(16))  # minor | major | severe | critical
    description: Mapped[str] = mapped_column(Text)
    input: Mapped[Any] = mapped_column(Json, nullable=True)
    correct_output: Mapped[Any] = mapped_column(Json, nullable=True)
    state: Mapped[str] = mapped_column(String(16))  # open | investigating | closed
    cause: Mapped[str] = mapped_column(Text, default="")
    suite: Mapped[str | None] = mapped_column(String(128))  # where it became an evaluation case
    reported_at: Mapped[datetime]
    reported_by: Mapped[str] = mapped_column(String(128))
    closed_at: Mapped[datetime | None]
