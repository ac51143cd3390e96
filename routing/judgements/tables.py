"""Comparisons of which a third person was asked who was right."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from kit.ids import new_id
from kit.tables import Table


class Judgement(Table):
    """
    One output and what a person did for the same case: how it was drawn, and what a third person said of the two.

    `said` and what follows it mean something once the item is judged and can be undone no more (`counted_at`). While it
    waits, the row follows a corrected human output; `withdrawn_at`: the correction was not drawn.
    """

    __tablename__ = "judgements"
    __table_args__ = (
        Index(None, "decision_id", unique=True),
        Index(None, "item_id", unique=True),
        Index(None, "agent", "decided_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    item_id: Mapped[UUID]
    decision_id: Mapped[UUID]
    human_output_id: Mapped[UUID]
    comparison_id: Mapped[UUID]
    agent: Mapped[str] = mapped_column(String(128))
    version: Mapped[str] = mapped_column(String(128))
    person: Mapped[str | None] = mapped_column(String(128))  # who did the case, as the poster said
    differed: Mapped[bool] = mapped_column(Boolean)  # by the agent's own comparison
    severity: Mapped[str | None] = mapped_column(String(16))  # of the difference
    position: Mapped[float]  # of the case in the draw
    differing_share: Mapped[float]  # the probability where the two differ
    same_share: Mapped[float]  # and where they say the same
    agent_is: Mapped[str] = mapped_column(String(1))  # A | B
    decided_at: Mapped[datetime]
    asked_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]

    said: Mapped[str | None] = mapped_column(String(8))  # A | B | both | neither
    judge: Mapped[str | None] = mapped_column(String(128))
    agent_right: Mapped[bool | None] = mapped_column(Boolean)
    person_right: Mapped[bool | None] = mapped_column(Boolean)
    counted_at: Mapped[datetime | None]
