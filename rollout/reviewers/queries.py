"""Statements about gold answers."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rollout.reviewers.tables import GoldAnswer


@dataclass(frozen=True, slots=True)
class Answered:
    """How often a reviewer said what of outputs known to be right or wrong."""

    reviewer: str
    output_is: str
    said: str
    cases: int


def answered(session: Session, agent: str) -> Sequence[Answered]:
    """By reviewer, in the order of their names."""
    rows = session.execute(
        select(GoldAnswer.reviewer, GoldAnswer.output_is, GoldAnswer.said, func.count())
        .where(GoldAnswer.agent == agent)
        .group_by(GoldAnswer.reviewer, GoldAnswer.output_is, GoldAnswer.said)
        .order_by(GoldAnswer.reviewer)
    )
    return [Answered(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class AnsweredBy(Answered):
    """The same of one reviewer, by agent."""

    agent: str


def answered_by(session: Session, reviewer: str) -> Sequence[AnsweredBy]:
    """What one reviewer answered, by agent in the order of their names."""
    rows = session.execute(
        select(GoldAnswer.output_is, GoldAnswer.said, func.count(), GoldAnswer.agent)
        .where(GoldAnswer.reviewer == reviewer)
        .group_by(GoldAnswer.agent, GoldAnswer.output_is, GoldAnswer.said)
        .order_by(GoldAnswer.agent)
    )
    return [AnsweredBy(reviewer, *row) for row in rows]


def missed_by(session: Session, reviewer: str, limit: int) -> Sequence[GoldAnswer]:
    """The newest answers of this reviewer that were not what is known."""
    wrong = select(GoldAnswer).where(GoldAnswer.reviewer == reviewer, GoldAnswer.said != GoldAnswer.output_is)
    return session.scalars(wrong.order_by(GoldAnswer.at.desc(), GoldAnswer.id.desc()).limit(limit)).all()


def of_cases(session: Session, agent: str, case_ids: Collection[str]) -> Sequence[GoldAnswer]:
    """What was recorded on these cases, by whichever reviewer."""
    mine = select(GoldAnswer).where(GoldAnswer.agent == agent, GoldAnswer.case_id.in_(case_ids))
    return session.scalars(mine).all()
