"""Statements about readiness answers and periodic reviews."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from rollout.oversight.tables import PeriodicReview, ReadinessAnswer


def find_answer(session: Session, rollout_id: UUID, item: str) -> ReadinessAnswer | None:
    return session.get(ReadinessAnswer, (rollout_id, item))


def answers(session: Session, rollout_id: UUID) -> Sequence[ReadinessAnswer]:
    mine = select(ReadinessAnswer).where(ReadinessAnswer.rollout_id == rollout_id)
    return session.scalars(mine.order_by(ReadinessAnswer.item)).all()


def reviews_held(session: Session, agent: str) -> Sequence[datetime]:
    mine = select(PeriodicReview.held_at).where(PeriodicReview.agent == agent)
    return session.scalars(mine.order_by(PeriodicReview.held_at)).all()


def reviews(session: Session, agent: str, *, before: UUID | None = None, limit: int = 50) -> Sequence[PeriodicReview]:
    """The newest first."""
    wanted = select(PeriodicReview).where(PeriodicReview.agent == agent).order_by(PeriodicReview.id.desc())
    if before is not None:
        wanted = wanted.where(PeriodicReview.id < before)
    return session.scalars(wanted.limit(limit)).all()
