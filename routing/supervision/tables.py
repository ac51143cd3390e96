"""What reviewers said of cases before they were shown the agent's output."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from kit.dialects import Json
from kit.ids import new_id
from kit.tables import Table


class BlindAnswer(Table):
    """A reviewer's own answer to a case of the blind arm, given before the output was shown. Never changed."""

    __tablename__ = "blind_answers"
    __table_args__ = (Index(None, "item_id", "login", unique=True), Index(None, "decision_id"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    item_id: Mapped[UUID]
    decision_id: Mapped[UUID]
    login: Mapped[str] = mapped_column(String(128))
    output: Mapped[Any] = mapped_column(Json, nullable=True)
    equal: Mapped[bool] = mapped_column(Boolean)  # to the agent's, by the agent's own comparison
    at: Mapped[datetime]
