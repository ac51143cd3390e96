"""Statements on human loops."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from routing.reviews.tables import ReviewItem, Ruling


def last_ruling(session: Session, decision_id: UUID) -> Ruling | None:
    """The one that ended the review of a decision; those before it were escalated."""
    return session.scalar(
        select(Ruling)
        .join(ReviewItem, ReviewItem.id == Ruling.item_id)
        .where(ReviewItem.decision_id == decision_id, ReviewItem.kind == "review", Ruling.undone_at.is_(None))
        .order_by(Ruling.at.desc(), Ruling.id.desc())
        .limit(1)
    )
