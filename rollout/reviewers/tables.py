"""What is known of the people who review: their answers to cases whose answer was known beforehand."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from kit.ids import new_id
from kit.tables import Table


class GoldAnswer(Table):
    """One reviewer's answer to one gold case: an output known to be right or wrong, and what the reviewer said."""

    __tablename__ = "gold_answers"
    __table_args__ = (Index(None, "agent", "reviewer", "case_id", unique=True), Index(None, "reviewer", "at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    agent: Mapped[str] = mapped_column(String(128))
    reviewer: Mapped[str] = mapped_column(String(128))
    case_id: Mapped[str] = mapped_column(String(200))
    output_is: Mapped[str] = mapped_column(String(16))  # right | wrong: what is known
    said: Mapped[str] = mapped_column(String(16))  # right | wrong: what the reviewer answered
    at: Mapped[datetime]
    recorded_by: Mapped[str] = mapped_column(String(128))
