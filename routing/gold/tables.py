"""Cases whose right answer is known, to whom they were dealt, and what was reported of them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from kit.dialects import Json
from kit.ids import new_id
from kit.tables import Table


class GoldCase(Table):
    """
    An output known to be right or wrong, with all that a reviewer is shown of a case. Never changed; `retired_at`:
    dealt to nobody any more.
    """

    __tablename__ = "gold_cases"
    __table_args__ = (Index(None, "agent", "digest", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    agent: Mapped[str] = mapped_column(String(128))
    decision_id: Mapped[UUID | None]  # it was made from; None: by hand
    case_id: Mapped[str] = mapped_column(String(200))  # as it stands in what is shown, where it is put in anew
    input: Mapped[Any] = mapped_column(Json, nullable=True)
    output: Mapped[Any] = mapped_column(Json, nullable=True)  # which reviewers are shown
    confidence: Mapped[float | None]
    segment: Mapped[str] = mapped_column(String(128), default="")
    action: Mapped[str | None] = mapped_column(String(128))
    amount: Mapped[float | None]
    risk: Mapped[str | None] = mapped_column(String(32))
    attributes: Mapped[dict[str, Any] | None]
    signals: Mapped[dict[str, Any] | None]
    trace: Mapped[list[Any] | None]
    output_is: Mapped[str] = mapped_column(String(16))  # right | wrong
    correct_output: Mapped[Any] = mapped_column(Json, nullable=True)
    why: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))  # of what was sent: the same again makes no second case
    made_by: Mapped[str] = mapped_column(String(128))
    made_at: Mapped[datetime]
    retired_by: Mapped[str | None] = mapped_column(String(128))
    retired_at: Mapped[datetime | None]


class GoldDeal(Table):
    """
    One gold case in one reviewer's stream: how it was drawn, what it looked like, and what they said of it.

    `decision` is the decision it seems to be of, which is stored nowhere else.
    """

    __tablename__ = "gold_deals"
    __table_args__ = (
        Index(None, "gold_case_id", "login", unique=True),  # nobody is dealt one twice
        Index(None, "login", "before_item_id", unique=True),  # nor drawn for twice at the same place
        Index(None, "decision_id", unique=True),
        Index(None, "agent", "case_id"),
    )

    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    gold_case_id: Mapped[UUID]
    agent: Mapped[str] = mapped_column(String(128))
    login: Mapped[str] = mapped_column(String(128))
    before_item_id: Mapped[UUID]  # the case before which it was drawn
    probability: Mapped[float]
    case_id: Mapped[str] = mapped_column(String(200))  # under which it was shown
    decision_id: Mapped[UUID]
    decision: Mapped[dict[str, Any]]
    dealt_at: Mapped[datetime]
    ruling: Mapped[str | None] = mapped_column(String(16))  # as it was concluded
    said: Mapped[str | None] = mapped_column(String(16))  # right | wrong; None where the ruling says neither
    answered_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]  # when the reviewer put the result away


class GoldReport(Table):
    """A failure that somebody reported of what seemed to be a decision. Answered as any other, and counted nowhere."""

    __tablename__ = "gold_reports"
    __table_args__ = (Index(None, "agent", "reported_by"), Index(None, "decision_id"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    decision_id: Mapped[UUID]  # as the case seemed to have it
    agent: Mapped[str] = mapped_column(String(128))
    severity: Mapped[str] = mapped_column(String(16))
    description: Mapped[str] = mapped_column(Text)
    correct_output: Mapped[Any] = mapped_column(Json, nullable=True)
    reported_by: Mapped[str] = mapped_column(String(128))
    reported_at: Mapped[datetime]
