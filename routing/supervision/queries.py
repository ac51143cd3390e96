"""Statements on answers given before the output was seen."""

from uuid import UUID

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from routing.cases.tables import DecisionKey
from routing.domain.sampling import BLIND
from routing.reviews.tables import ReviewItem
from routing.supervision.tables import BlindAnswer


def answer_of(session: Session, item_id: UUID, login: str) -> BlindAnswer | None:
    """What this person said of the item before seeing the output."""
    return session.scalar(select(BlindAnswer).where(BlindAnswer.item_id == item_id, BlindAnswer.login == login))


def has_to_answer(session: Session, agent: str, case_id: str, login: str) -> bool:
    """
    Whether a blind review of this case waits, or may wait again because its ruling can still be undone, that this
    person has not answered.
    """
    of_case = select(DecisionKey.decision_id).where(DecisionKey.agent == agent, DecisionKey.case_id == case_id)
    ids = session.scalars(of_case).all()
    answered = exists().where(BlindAnswer.item_id == ReviewItem.id, BlindAnswer.login == login)
    still_open = or_(ReviewItem.state == "waiting", ReviewItem.concludes_at.is_not(None))
    open_one = select(ReviewItem.id).where(ReviewItem.decision_id.in_(ids), still_open)
    return session.scalar(open_one.where(ReviewItem.arm == BLIND, ~answered).limit(1)) is not None
