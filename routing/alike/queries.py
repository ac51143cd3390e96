"""Statements on the cases that a person opened and gave back."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, load_only

from routing.cases.tables import Decision
from routing.gold import queries as gold
from routing.reviews.dealing.lines import free
from routing.reviews.tables import Opened, ReviewItem

MOST = 200
"""How many of them are looked at, those given back last."""


def opened(
    session: Session, login: str, since: datetime, now: datetime, *, agent: str | None = None
) -> list[tuple[ReviewItem, Decision]]:
    """What this person had before them since then and nobody holds now, the last first, each with its decision."""
    wanted = (
        select(ReviewItem)
        .join(Opened, Opened.item_id == ReviewItem.id)
        .where(Opened.login == login, Opened.at >= since, free(now))
        .order_by(Opened.at.desc(), Opened.item_id)
        .limit(MOST)
    )
    items = session.scalars(wanted if agent is None else wanted.where(ReviewItem.agent == agent)).all()
    decisions = _decisions(session, [item.decision_id for item in items])
    seeming = {item.decision_id: gold.decision_of(session, item.id) for item in items if item.kind == gold.GOLD}
    decisions |= seeming
    return [(item, decisions[item.decision_id]) for item in items if item.decision_id in decisions]


def was_opened(session: Session, item_id: UUID, login: str, since: datetime) -> bool:
    wanted = select(Opened.item_id).where(Opened.item_id == item_id, Opened.login == login, Opened.at >= since)
    return session.scalar(wanted) is not None


def forget(session: Session, before: datetime) -> int:
    """What was opened before that allows nothing any more."""
    gone = (
        delete(Opened).where(Opened.at < before).returning(Opened.item_id).execution_options(synchronize_session=False)
    )
    return len(session.scalars(gone).all())


def _decisions(session: Session, ids: Sequence[UUID]) -> dict[UUID, Decision]:
    """Only of what a signature is made of; inputs and traces may be long."""
    made_of = load_only(Decision.output, Decision.action, Decision.reasons, Decision.risk)
    wanted = select(Decision).options(made_of).where(Decision.id.in_(ids))
    return {row.id: row for row in session.scalars(wanted)} if ids else {}
