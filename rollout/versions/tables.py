"""Versions and their rollouts: what was built, and how much autonomy it has earned."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from kit.ids import new_id
from kit.tables import Table


class Version(Table):
    """One immutable build of an agent."""

    __tablename__ = "versions"
    __table_args__ = (Index(None, "agent", "label", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    agent: Mapped[str] = mapped_column(ForeignKey("agents.name"))
    label: Mapped[str] = mapped_column(String(128))
    digest: Mapped[str | None] = mapped_column(String(200))
    about: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(128))


class Rollout(Table):
    """How far one version has come. Two people pressing a button together: the second gets a 409."""

    __tablename__ = "rollouts"
    __table_args__ = (Index(None, "agent", "standing"), Index(None, "agent", "version", unique=True))

    id: Mapped[UUID] = mapped_column(ForeignKey("versions.id"), primary_key=True)  # one rollout per version
    agent: Mapped[str] = mapped_column(ForeignKey("agents.name"))
    version: Mapped[str] = mapped_column(String(128))
    standing: Mapped[str] = mapped_column(String(16))  # stable | candidate | retired
    phase: Mapped[str] = mapped_column(String(16))
    phase_since: Mapped[datetime]
    epoch: Mapped[int]  # +1 at every entry into a phase; evidence counts the present epoch only
    ramp_step: Mapped[int]  # index into the plan's ramp of this phase
    ramp_since: Mapped[datetime]
    frozen: Mapped[str | None] = mapped_column(String(16))  # routing | advancing
    plan_id: Mapped[UUID | None] = mapped_column(ForeignKey("plans.id"))  # copied and frozen at the start
    policy_revision: Mapped[int]
    started_at: Mapped[datetime]
    looked_at: Mapped[datetime | None]
    next_look_at: Mapped[datetime | None]
    evidence_id: Mapped[UUID | None]  # the newest evidence snapshot
    # While break-glass is open: when it ends, and where the version goes back to then.
    glass_until: Mapped[datetime | None]
    glass_from_phase: Mapped[str | None] = mapped_column(String(16))
    glass_from_step: Mapped[int | None]
    lock: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": lock}  # noqa: RUF012 - SQLAlchemy's way


class PolicyRevision(Table):
    """The routing rules of a version at one time: everything that decides a case. Never changed."""

    __tablename__ = "policies"
    __table_args__ = (Index(None, "sequence", unique=True),)

    rollout_id: Mapped[UUID] = mapped_column(ForeignKey("rollouts.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    sequence: Mapped[int]  # grows over all versions; a process whose highest is lower has old policies
    body: Mapped[dict[str, Any]]
    cause: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(128))


class PhaseChange(Table):
    """One line of a rollout's history."""

    __tablename__ = "phase_changes"
    __table_args__ = (Index(None, "rollout_id", "at"), Index(None, "agent", "at"), Index(None, "kind", "at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    rollout_id: Mapped[UUID] = mapped_column(ForeignKey("rollouts.id"))
    agent: Mapped[str] = mapped_column(String(128))
    version: Mapped[str] = mapped_column(String(128))
    # started | advanced | ramped | demoted | rolled_back | restored | promoted | retired | stopped | frozen
    # unfrozen | refused | adopted | broke_glass | glass_ended | segment_closed
    kind: Mapped[str] = mapped_column(String(16))
    left: Mapped[str | None] = mapped_column(String(16))
    entered: Mapped[str | None] = mapped_column(String(16))
    epoch: Mapped[int]
    share: Mapped[float | None]
    glass_until: Mapped[datetime | None]  # of broke_glass
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(128))
    reason: Mapped[str] = mapped_column(Text)
    evidence_id: Mapped[UUID | None]
