"""
What pages ask of many decisions, counted by day: how draws fell, what came in for people, what people said.

Moved by settling like the totals that gates count, and always what the decisions that are here add up to: where some
are archived, what they were counted as is taken away again. A row of nothing but zeros is as good as none.
"""

from datetime import date
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from kit.tables import Table


class DrawTotal(Table):
    """
    Cases of one day that one draw was made for, by its probability and the lane they came to.

    `left_out`: void, or a repeated attempt; `audited`: with a verdict; `wrong`: with one against the agent.
    """

    __tablename__ = "draw_totals"

    rollout_id: Mapped[UUID] = mapped_column(ForeignKey("rollouts.id"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    draw: Mapped[str] = mapped_column(String(8), primary_key=True)  # audit | ramp
    probability: Mapped[float] = mapped_column(primary_key=True)
    lane: Mapped[str] = mapped_column(String(16), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)  # UTC day of decided_at
    cases: Mapped[int]
    left_out: Mapped[int]
    audited: Mapped[int]
    wrong: Mapped[int]


class WorkTotal(Table):
    """
    Cases that the threshold dealt out in one hour, by lane; and how long people who ruled on them had held them.

    Of nobody in particular: whose milliseconds they were is not kept.
    """

    __tablename__ = "work_totals"

    rollout_id: Mapped[UUID] = mapped_column(ForeignKey("rollouts.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)  # UTC day of decided_at
    hour: Mapped[int] = mapped_column(primary_key=True)  # of that day, 0 to 23
    lane: Mapped[str] = mapped_column(String(16), primary_key=True)
    cases: Mapped[int]
    timed: Mapped[int]  # verdicts of who had held the case; those read from a file never did
    held_ms: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"))


class VerdictTotal(Table):
    """
    Verdicts on the decisions of one day, by who gave them, and of which arm of the blind comparison they are.

    `arm` is empty where a case was drawn for neither, or was ruled in the blind arm by who had not answered first.
    """

    __tablename__ = "verdict_totals"

    rollout_id: Mapped[UUID] = mapped_column(ForeignKey("rollouts.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)  # UTC day of decided_at
    source: Mapped[str] = mapped_column(String(16), primary_key=True)
    person: Mapped[str] = mapped_column(String(128), primary_key=True)  # "" where nobody said who it was
    verdict: Mapped[str] = mapped_column(String(16), primary_key=True)
    arm: Mapped[str] = mapped_column(String(16), primary_key=True)
    arm_probability: Mapped[float] = mapped_column(primary_key=True)  # 0 where there is no arm
    answered: Mapped[str] = mapped_column(String(16), primary_key=True)  # first: equal | different | ""
    verdicts: Mapped[int]
