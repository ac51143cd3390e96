"""Calibrations of thresholds: what the labels of a version allowed, at a look that was declared beforehand."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from kit.ids import new_id
from kit.tables import Table


class Calibration(Table):
    """
    One look, taken once and never again: the labels it rests on, the answer, and whether an owner applied it.

    `data` holds (confidence, cases, wrong) per confidence of the first labels, and for a further look the counts of
    every look so far, so that the answer can be computed again from the record alone.
    """

    __tablename__ = "calibrations"
    __table_args__ = (Index(None, "rollout_id", "segment", "look", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    rollout_id: Mapped[UUID] = mapped_column(ForeignKey("rollouts.id"))
    agent: Mapped[str] = mapped_column(String(128))
    version: Mapped[str] = mapped_column(String(128))
    segment: Mapped[str] = mapped_column(String(128))  # "" for all cases together
    look: Mapped[int]  # 0 is the go-live test; the scheduled ones follow
    labels: Mapped[int]
    threshold: Mapped[float | None]  # None: these labels allow none
    declared: Mapped[dict[str, Any]]  # risk, confidence, mode and looks, as the plan had them
    data: Mapped[dict[str, Any]]
    answer: Mapped[dict[str, Any]]
    digest: Mapped[str] = mapped_column(String(64))  # of declared, data and answer
    at: Mapped[datetime]
    applied_revision: Mapped[int | None]  # the policy revision that took this threshold up
    applied_at: Mapped[datetime | None]
    applied_by: Mapped[str | None] = mapped_column(String(128))
