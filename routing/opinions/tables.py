"""What a second person said of an output, and what a third made of it where the two differed."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Boolean, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from kit.ids import new_id
from kit.tables import Table


class SecondOpinion(Table):
    """
    An output of which a second person was asked, drawn with a known probability.

    Written when the first ruling is concluded. The columns of the second ruling are filled when that one is, those of
    the adjudication when somebody has ruled between them; `same`, `first_right` and `second_right` mean something only
    then: they are worked out when the ruling is given, by the agent's comparison, and it may still be undone.
    """

    __tablename__ = "second_opinions"
    __table_args__ = (Index(None, "decision_id", unique=True), Index(None, "agent", "decided_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    decision_id: Mapped[UUID]
    agent: Mapped[str] = mapped_column(String(128))
    version: Mapped[str] = mapped_column(String(128))
    kind: Mapped[str] = mapped_column(String(16))  # review | audit: what the first ruling was
    probability: Mapped[float | None]  # of having been drawn
    decided_at: Mapped[datetime]  # when the decision was stored
    asked_at: Mapped[datetime]

    first_ruling_id: Mapped[UUID]
    first_login: Mapped[str] = mapped_column(String(128))
    first_verdict: Mapped[str] = mapped_column(String(16))

    second_ruling_id: Mapped[UUID | None]
    second_login: Mapped[str | None] = mapped_column(String(128))
    second_verdict: Mapped[str | None] = mapped_column(String(16))
    same: Mapped[bool | None] = mapped_column(Boolean)

    ruling_id: Mapped[UUID | None]  # of the adjudication
    adjudicator: Mapped[str | None] = mapped_column(String(128))
    verdict: Mapped[str | None] = mapped_column(String(16))
    first_right: Mapped[bool | None] = mapped_column(Boolean)
    second_right: Mapped[bool | None] = mapped_column(Boolean)
