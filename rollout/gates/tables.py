"""Totals, the evidence taken from them, and the sign-offs given for it."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from kit.ids import new_id
from kit.tables import Table


class Total(Table):
    """Counts of one cohort: the decisions of one day, lane and segment in one epoch of a rollout."""

    __tablename__ = "totals"

    rollout_id: Mapped[UUID] = mapped_column(ForeignKey("rollouts.id"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    lane: Mapped[str] = mapped_column(String(16), primary_key=True)
    segment: Mapped[str] = mapped_column(String(128), primary_key=True)  # "" where a case has none
    day: Mapped[date] = mapped_column(primary_key=True)  # UTC day of decided_at
    cases: Mapped[int]
    agreed: Mapped[int]
    overridden: Mapped[int]
    severe: Mapped[int]
    void: Mapped[int]
    invalid_output: Mapped[int]
    invalid_confidence: Mapped[int]
    minor: Mapped[int]
    low_confidence: Mapped[int]


class EvidenceSnapshot(Table):
    """The numbers a rollout was judged on, with the verdict, kept for ever."""

    __tablename__ = "evidence"
    __table_args__ = (Index(None, "rollout_id", "at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    rollout_id: Mapped[UUID] = mapped_column(ForeignKey("rollouts.id"))
    epoch: Mapped[int]
    phase: Mapped[str] = mapped_column(String(16))
    ramp_step: Mapped[int]
    verdict: Mapped[str] = mapped_column(String(16))  # advance | hold | demote
    digest: Mapped[str] = mapped_column(String(64))  # of what it says, so that an unchanged look is not stored twice
    body: Mapped[dict[str, Any]]
    at: Mapped[datetime]
    seen_again_at: Mapped[datetime]  # the last look that found just the same


class Signature(Table):
    """A person's yes or no to one step of one version on one evidence snapshot. Used once."""

    __tablename__ = "signatures"
    __table_args__ = (Index(None, "evidence_id", "login", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    rollout_id: Mapped[UUID] = mapped_column(ForeignKey("rollouts.id"))
    evidence_id: Mapped[UUID] = mapped_column(ForeignKey("evidence.id"))
    login: Mapped[str] = mapped_column(ForeignKey("people.login"))
    capacity: Mapped[str] = mapped_column(String(16))  # asked | owner | second
    answer: Mapped[str] = mapped_column(String(16))  # asked | signed | refused
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    used_at: Mapped[datetime | None]
