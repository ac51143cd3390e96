"""Evaluation suites, stored in revisions, and the runs of versions on them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from kit.dialects import Json
from kit.ids import new_id
from kit.tables import Table


class Suite(Table):
    """One revision of a suite: cases with known answers. A changed suite is a new revision."""

    __tablename__ = "suites"
    __table_args__ = (Index(None, "agent", "name", "revision", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    agent: Mapped[str] = mapped_column(ForeignKey("agents.name"))
    name: Mapped[str] = mapped_column(String(128))
    revision: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
    cases: Mapped[int]
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(128))


class SuiteCase(Table):
    __tablename__ = "suite_cases"

    suite_id: Mapped[UUID] = mapped_column(ForeignKey("suites.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    position: Mapped[int]
    input: Mapped[Any] = mapped_column(Json, nullable=True)
    expected: Mapped[Any] = mapped_column(Json, nullable=True)
    tags: Mapped[list[str]]


class EvaluationRun(Table):
    """How one version did on one suite revision, against the minimum and the stored baseline."""

    __tablename__ = "evaluation_runs"
    __table_args__ = (Index(None, "rollout_id", "at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    agent: Mapped[str] = mapped_column(ForeignKey("agents.name"))
    rollout_id: Mapped[UUID] = mapped_column(ForeignKey("rollouts.id"))
    suite_id: Mapped[UUID] = mapped_column(ForeignKey("suites.id"))
    suite: Mapped[str] = mapped_column(String(128))
    suite_revision: Mapped[int]
    cases: Mapped[int]
    equal: Mapped[int]
    missing: Mapped[int]  # suite cases without an output; they count as wrong
    invalid: Mapped[int]
    score: Mapped[float]
    baseline_run_id: Mapped[UUID | None]
    baseline_score: Mapped[float | None]
    failed_cases: Mapped[list[Any]]  # the first hundred, with what differs
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(128))
