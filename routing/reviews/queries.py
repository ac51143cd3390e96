"""Statements on the review queue. A claim is one conditional UPDATE, so two people cannot both win."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, case, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session

from kit.dialects import skip_locked
from kit.errors import NotFound
from rollout.versions.tables import Rollout
from routing.cases.tables import Decision, Label
from routing.reviews.tables import ReviewItem, Ruling


def get_item(session: Session, item_id: UUID) -> ReviewItem:
    row = session.get(ReviewItem, item_id, populate_existing=True)
    if row is None:
        raise NotFound(f"there is no review item {item_id}")
    return row


def get_decision(session: Session, decision_id: UUID) -> Decision:
    row = session.get(Decision, decision_id)
    if row is None:
        raise NotFound(f"there is no decision {decision_id}")
    return row


def _free(now: datetime) -> Any:
    return and_(
        ReviewItem.state == "waiting",
        or_(ReviewItem.claimed_by.is_(None), ReviewItem.claimed_until < now),
    )


def _in_turn(statement: Select[Any]) -> Select[Any]:
    """Urgent first, then what is due first: the oldest, never the newest."""
    return statement.order_by(ReviewItem.priority.desc(), ReviewItem.due_at, ReviewItem.id)


def _narrowed(statement: Select[Any], agent: str | None, levels: Sequence[int]) -> Select[Any]:
    statement = statement.where(ReviewItem.level.in_(levels))
    return statement.where(ReviewItem.agent == agent) if agent is not None else statement


def held_by(session: Session, login: str, now: datetime, *, agent: str | None = None) -> ReviewItem | None:
    """The case a person holds, if any; reloading a page must not take another one."""
    statement = select(ReviewItem).where(
        ReviewItem.state == "waiting", ReviewItem.claimed_by == login, ReviewItem.claimed_until >= now
    )
    if agent is not None:
        statement = statement.where(ReviewItem.agent == agent)
    held: ReviewItem | None = session.scalar(_in_turn(statement).limit(1))
    return held


def try_claim_next(
    session: Session, login: str, *, agent: str | None, levels: Sequence[int], now: datetime, until: datetime
) -> ReviewItem | None:
    """Claim the first free item in turn; None when nothing waits."""
    first = _narrowed(select(ReviewItem.id).where(_free(now)), agent, levels)
    first = skip_locked(_in_turn(first).limit(1), session.get_bind().dialect.name)
    return session.scalar(
        update(ReviewItem)
        .where(ReviewItem.id == first.scalar_subquery(), _free(now))
        .values(claimed_by=login, claimed_at=now, claimed_until=until)
        .returning(ReviewItem)
        .execution_options(synchronize_session=False, populate_existing=True)
    )


def try_claim(session: Session, item_id: UUID, login: str, *, now: datetime, until: datetime) -> ReviewItem | None:
    """
    Claim this item if nobody else holds it; None when somebody does or it has ended.

    One's own is held on to, and how long the work takes is counted from the first claim.
    """
    mine = and_(ReviewItem.state == "waiting", ReviewItem.claimed_by == login)
    fresh = literal(now, ReviewItem.claimed_at.type)
    since = case((and_(mine, ReviewItem.claimed_until >= now), ReviewItem.claimed_at), else_=fresh)
    return session.scalar(
        update(ReviewItem)
        .where(ReviewItem.id == item_id, or_(_free(now), mine))
        .values(claimed_by=login, claimed_at=since, claimed_until=until)
        .returning(ReviewItem)
        .execution_options(synchronize_session=False, populate_existing=True)
    )


def try_renew(session: Session, item_id: UUID, login: str, *, until: datetime) -> ReviewItem | None:
    """Hold on to an item; also when the lease ran out and nobody took it meanwhile."""
    return session.scalar(
        update(ReviewItem)
        .where(ReviewItem.id == item_id, ReviewItem.state == "waiting", ReviewItem.claimed_by == login)
        .values(claimed_until=until)
        .returning(ReviewItem)
        .execution_options(synchronize_session=False, populate_existing=True)
    )


def try_release(session: Session, item_id: UUID, login: str) -> bool:
    released = session.scalar(
        update(ReviewItem)
        .where(ReviewItem.id == item_id, ReviewItem.state == "waiting", ReviewItem.claimed_by == login)
        .values(claimed_by=None, claimed_at=None, claimed_until=None)
        .returning(ReviewItem.id)
        .execution_options(synchronize_session=False)
    )
    return released is not None


def try_end(session: Session, item_id: UUID, login: str, *, state: str, now: datetime) -> ReviewItem | None:
    """End an item that this person holds; None when it is not theirs any more."""
    return session.scalar(
        update(ReviewItem)
        .where(ReviewItem.id == item_id, ReviewItem.state == "waiting", ReviewItem.claimed_by == login)
        .values(state=state, ended_at=now)
        .returning(ReviewItem)
        .execution_options(synchronize_session=False, populate_existing=True)
    )


def release_expired(session: Session, now: datetime) -> int:
    """Put items back in the queue whose reviewer walked away."""
    released = session.scalars(
        update(ReviewItem)
        .where(ReviewItem.state == "waiting", ReviewItem.claimed_until < now)
        .values(claimed_by=None, claimed_at=None, claimed_until=None)
        .returning(ReviewItem.id)
        .execution_options(synchronize_session=False)
    )
    return len(released.all())


def open_page(
    session: Session, *, agent: str | None, levels: Sequence[int], offset: int, limit: int
) -> Sequence[ReviewItem]:
    """The queue in turn, held items included."""
    statement = _narrowed(select(ReviewItem).where(ReviewItem.state == "waiting"), agent, levels)
    return session.scalars(_in_turn(statement).offset(offset).limit(limit)).all()


def waiting_counts(session: Session, levels: Sequence[int]) -> dict[str, int]:
    """How many wait, by agent."""
    statement = (
        select(ReviewItem.agent, func.count())
        .where(ReviewItem.state == "waiting", ReviewItem.level.in_(levels))
        .group_by(ReviewItem.agent)
    )
    return dict(session.execute(statement).all())


def ruled_since(session: Session, login: str, since: datetime) -> dict[str, int]:
    """How often a person ruled in which way since then."""
    statement = (
        select(Ruling.ruling, func.count()).where(Ruling.login == login, Ruling.at >= since).group_by(Ruling.ruling)
    )
    return dict(session.execute(statement).all())


def items_nobody_may_rule(session: Session, limit: int) -> Sequence[ReviewItem]:
    """
    Open review items whose version no longer drafts for people: demoted to shadow or evaluation, or retired.

    Not those of a frozen one: what it drafted before stays evidence, and whoever freezes it must not be able to
    erase that. Audits of what already happened stay too.
    """
    gone = or_(Rollout.phase.in_(("evaluation", "shadow")), Rollout.standing == "retired")
    statement = (
        select(ReviewItem)
        .join(Rollout, Rollout.id == ReviewItem.rollout_id)
        .where(ReviewItem.state == "waiting", ReviewItem.kind == "review", gone)
        .limit(limit)
    )
    if session.get_bind().dialect.name == "postgresql":
        statement = statement.with_for_update(of=ReviewItem, skip_locked=True)
    return session.scalars(statement).all()


def ruling_of(session: Session, item_id: UUID) -> Ruling | None:
    return session.scalar(select(Ruling).where(Ruling.item_id == item_id))


def items_of_decision(session: Session, decision_id: UUID) -> Sequence[ReviewItem]:
    return session.scalars(
        select(ReviewItem).where(ReviewItem.decision_id == decision_id).order_by(ReviewItem.level)
    ).all()


def end_items(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Bulk update by primary key: items nobody holds, ended with what recorded work says of them."""
    if rows:
        session.execute(update(ReviewItem), list(rows))


def insert_rulings(session: Session, rulings: Sequence[dict[str, Any]], labels: Sequence[dict[str, Any]]) -> None:
    if rulings:
        session.execute(insert(Ruling), list(rulings))
        session.execute(insert(Label), list(labels))


def set_outcomes(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Bulk update by primary key of how decisions ended; they go to settling."""
    if rows:
        session.execute(update(Decision), [{**row, "unsettled": True} for row in rows])
