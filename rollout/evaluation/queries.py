"""Statements about suites and runs."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, insert, select
from sqlalchemy.orm import Session, aliased, defer

from kit.errors import NotFound
from rollout.evaluation.tables import EvaluationRun, Suite, SuiteCase

_CHUNK = 1000


def newest_suite(session: Session, agent: str, name: str) -> Suite | None:
    mine = select(Suite).where(Suite.agent == agent, Suite.name == name)
    return session.scalar(mine.order_by(Suite.revision.desc()).limit(1))


def get_suite(session: Session, agent: str, name: str, revision: int | None = None) -> Suite:
    """The suite as it is now, or as it was in a revision."""
    if revision is None:
        suite = newest_suite(session, agent, name)
    else:
        mine = select(Suite).where(Suite.agent == agent, Suite.name == name)
        suite = session.scalar(mine.where(Suite.revision == revision))
    if suite is None:
        what = f"suite {name}" if revision is None else f"revision {revision} of suite {name}"
        raise NotFound(f"agent {agent} has no {what}")
    return suite


def newest_suites(
    session: Session, agent: str, *, after: str | None = None, limit: int | None = None
) -> Sequence[Suite]:
    """Every suite as it is now, by name."""
    later = aliased(Suite)
    newer = and_(later.agent == Suite.agent, later.name == Suite.name, later.revision > Suite.revision)
    wanted = select(Suite).outerjoin(later, newer).where(Suite.agent == agent, later.id.is_(None))
    if after is not None:
        wanted = wanted.where(Suite.name > after)
    return session.scalars(wanted.order_by(Suite.name).limit(limit)).all()


def suite_cases(
    session: Session, suite_id: UUID, *, after: int | None = None, limit: int | None = None
) -> Sequence[SuiteCase]:
    """In the order of the file."""
    wanted = select(SuiteCase).where(SuiteCase.suite_id == suite_id).order_by(SuiteCase.position).limit(limit)
    return session.scalars(wanted.where(SuiteCase.position > after) if after is not None else wanted).all()


def add_cases(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(rows), _CHUNK):
        session.execute(insert(SuiteCase), rows[start : start + _CHUNK])


def get_run(session: Session, agent: str, run_id: UUID) -> EvaluationRun:
    run = session.get(EvaluationRun, run_id)
    if run is None or run.agent != agent:
        raise NotFound(f"agent {agent} has no evaluation run {run_id}")
    return run


def newest_run(session: Session, rollout_id: UUID, suite_id: UUID) -> EvaluationRun | None:
    """The last run of a version on one revision of a suite."""
    mine = select(EvaluationRun).where(EvaluationRun.rollout_id == rollout_id, EvaluationRun.suite_id == suite_id)
    return session.scalar(mine.order_by(EvaluationRun.at.desc(), EvaluationRun.id.desc()).limit(1))


def newest_runs(session: Session, rollout_ids: Sequence[UUID]) -> Sequence[EvaluationRun]:
    """The last run of each of these versions on each suite, without what differed."""
    place = (
        func.row_number()
        .over(
            partition_by=(EvaluationRun.rollout_id, EvaluationRun.suite),
            order_by=(EvaluationRun.at.desc(), EvaluationRun.id.desc()),
        )
        .label("place")
    )
    ranked = select(EvaluationRun.id, place).where(EvaluationRun.rollout_id.in_(rollout_ids)).subquery()
    wanted = select(EvaluationRun).join(ranked, ranked.c.id == EvaluationRun.id).where(ranked.c.place == 1)
    return session.scalars(wanted.options(defer(EvaluationRun.failed_cases))).all()


def runs(
    session: Session,
    agent: str,
    *,
    rollout_id: UUID | None = None,
    suite: str | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> Sequence[EvaluationRun]:
    """The newest first."""
    wanted = select(EvaluationRun).where(EvaluationRun.agent == agent).order_by(EvaluationRun.id.desc()).limit(limit)
    if rollout_id is not None:
        wanted = wanted.where(EvaluationRun.rollout_id == rollout_id)
    if suite is not None:
        wanted = wanted.where(EvaluationRun.suite == suite)
    if before is not None:
        wanted = wanted.where(EvaluationRun.id < before)
    return session.scalars(wanted).all()
