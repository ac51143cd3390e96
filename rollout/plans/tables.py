"""Plans: what a rollout must show before an agent gets more autonomy. Immutable, numbered per agent."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from kit.ids import new_id
from kit.tables import Table


class PlanRevision(Table):
    __tablename__ = "plans"
    __table_args__ = (Index(None, "agent", "revision", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    agent: Mapped[str] = mapped_column(ForeignKey("agents.name"))
    revision: Mapped[int]
    source: Mapped[str] = mapped_column(Text)  # the YAML as it was applied
    body: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(128))
