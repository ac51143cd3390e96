"""Statements about plans."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from kit.errors import NotFound
from rollout.plans.tables import PlanRevision


def newest(session: Session, agent: str) -> PlanRevision | None:
    """The plan that a rollout of this agent would start with."""
    mine = select(PlanRevision).where(PlanRevision.agent == agent)
    return session.scalar(mine.order_by(PlanRevision.revision.desc()).limit(1))


def get_revision(session: Session, agent: str, revision: int) -> PlanRevision:
    found = session.scalar(select(PlanRevision).where(PlanRevision.agent == agent, PlanRevision.revision == revision))
    if found is None:
        raise NotFound(f"the plan of {agent} has no revision {revision}")
    return found


def find_plan(session: Session, plan_id: UUID) -> PlanRevision | None:
    return session.get(PlanRevision, plan_id)


def revisions(session: Session, agent: str, *, before: int | None = None, limit: int = 50) -> Sequence[PlanRevision]:
    """The newest first."""
    wanted = select(PlanRevision).where(PlanRevision.agent == agent).order_by(PlanRevision.revision.desc())
    if before is not None:
        wanted = wanted.where(PlanRevision.revision < before)
    return session.scalars(wanted.limit(limit)).all()
