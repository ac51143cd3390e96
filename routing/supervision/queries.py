"""Statements on answers given before the output was seen."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from routing.cases.tables import DecisionKey
from routing.domain.sampling import BLIND
from routing.gold.tables import GoldDeal
from routing.reviews.tables import ReviewItem
from routing.supervision.tables import BlindAnswer

_CHUNK = 400  # cases in one IN list


def answer_of(session: Session, decision_id: UUID, login: str) -> BlindAnswer | None:
    """What this person said of the output before they saw it; in whichever line they were asked."""
    theirs = BlindAnswer.decision_id == decision_id, BlindAnswer.login == login
    return session.scalar(select(BlindAnswer).where(*theirs).order_by(BlindAnswer.at, BlindAnswer.id).limit(1))


def to_answer(session: Session, agent: str, case_ids: Collection[str], login: str) -> set[str]:
    """
    Those of these cases of which a blind review waits, or may wait again because its ruling can still be undone, that
    this person has not answered.
    """
    answered = exists().where(BlindAnswer.decision_id == ReviewItem.decision_id, BlindAnswer.login == login)
    still_open = or_(ReviewItem.state == "waiting", ReviewItem.concludes_at.is_not(None))
    cases, found = sorted(case_ids), set[str]()
    for start in range(0, len(cases), _CHUNK):
        of_cases = DecisionKey.agent == agent, DecisionKey.case_id.in_(cases[start : start + _CHUNK])
        seeming = GoldDeal.agent == agent, GoldDeal.case_id.in_(cases[start : start + _CHUNK])
        ids = [*session.scalars(select(DecisionKey.decision_id).where(*of_cases)),
               *session.scalars(select(GoldDeal.decision_id).where(*seeming))]  # fmt: skip
        open_ones = select(ReviewItem.case_id).where(ReviewItem.decision_id.in_(ids), still_open)
        found.update(session.scalars(open_ones.where(ReviewItem.arm == BLIND, ~answered)))
    return found
