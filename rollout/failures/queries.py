"""Statements about failures."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kit.errors import NotFound
from rollout.failures.tables import Failure

_CLOSED = "closed"
_CHUNK = 400


def get_failure(session: Session, failure_id: UUID, *, of: str | None = None) -> Failure:
    """The failure; `of` an agent, where the caller may only see that one's."""
    failure = session.get(Failure, failure_id)
    if failure is None or of not in {None, failure.agent}:
        raise NotFound(f"there is no failure {failure_id}")
    return failure


def failures(
    session: Session, agent: str, *, state: str | None = None, before: UUID | None = None, limit: int = 50
) -> Sequence[Failure]:
    """The newest first."""
    wanted = select(Failure).where(Failure.agent == agent).order_by(Failure.id.desc()).limit(limit)
    if state is not None:
        wanted = wanted.where(Failure.state == state)
    if before is not None:
        wanted = wanted.where(Failure.id < before)
    return session.scalars(wanted).all()


def of_ids(session: Session, agent: str, ids: Collection[UUID]) -> Sequence[Failure]:
    found: list[Failure] = []
    wanted = list(ids)
    for start in range(0, len(wanted), _CHUNK):
        chunk = Failure.id.in_(wanted[start : start + _CHUNK])
        found += session.scalars(select(Failure).where(Failure.agent == agent, chunk))
    return found


def open_by_severity(session: Session, rollout_id: UUID) -> dict[str, int]:
    """How many failures of this version are not closed; one under investigation still is not."""
    counted = (
        select(Failure.severity, func.count())
        .where(Failure.rollout_id == rollout_id, Failure.state != _CLOSED)
        .group_by(Failure.severity)
    )
    return dict(session.execute(counted).all())


def newest_open_report(session: Session, rollout_id: UUID, severity: str) -> datetime | None:
    """When the last one of this severity that is not closed was reported."""
    return session.scalar(
        select(func.max(Failure.reported_at)).where(
            Failure.rollout_id == rollout_id, Failure.severity == severity, Failure.state != _CLOSED
        )
    )
