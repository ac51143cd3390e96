"""Statements on the review queue. A claim is one conditional UPDATE, so two people cannot both win."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    ColumnElement,
    ScalarSelect,
    Select,
    and_,
    case,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.orm import Session

from kit.dialects import skip_locked
from kit.errors import NotFound
from rollout.agents.tables import Agent
from rollout.versions.tables import Rollout
from routing.cases.tables import Decision, Label
from routing.reviews.tables import ReviewItem, Ruling

COUNTED_UP_TO = 1000
"""How many waiting cases of an agent are counted; where there are more, nobody needs to know how many."""

# A literal, not a parameter: a plan made for any value could not use the indexes over what waits.
WAITING: ColumnElement[bool] = ReviewItem.state == literal_column("'waiting'")
_DRAFT: ColumnElement[bool] = ReviewItem.kind == literal_column("'review'")


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


def _free(now: datetime) -> ColumnElement[bool]:
    return and_(WAITING, or_(ReviewItem.claimed_by.is_(None), ReviewItem.claimed_until < now))


# Urgent first, then what is due first: the oldest, never the newest.
_TURN = (ReviewItem.priority.desc(), ReviewItem.due_at, ReviewItem.id)


def _line(statement: Select[*tuple[Any, ...]], level: int, agent: str | None) -> Select[*tuple[Any, ...]]:
    """
    One line of the queue in turn. One line at a time, since only then an index has its rows in order: over two
    lines at once a million waiting cases are sorted to find the first.
    """
    statement = statement.where(ReviewItem.level == level).order_by(*_TURN)
    return statement.where(ReviewItem.agent == agent) if agent is not None else statement


def held_by(session: Session, login: str, now: datetime, *, agent: str | None = None) -> ReviewItem | None:
    """The case a person holds, if any; reloading a page must not take another one."""
    statement = select(ReviewItem).where(WAITING, ReviewItem.claimed_by == login, ReviewItem.claimed_until >= now)
    if agent is not None:
        statement = statement.where(ReviewItem.agent == agent)
    held: ReviewItem | None = session.scalar(statement.order_by(*_TURN).limit(1))
    return held


def lines_in_turn(
    session: Session, *, agent: str | None, levels: Sequence[int], now: datetime, but: Collection[UUID] = ()
) -> list[int]:
    """The lines in which something is free, the one whose first case comes first at the front."""
    if len(levels) == 1:
        return list(levels)
    firsts = []
    for level in levels:
        wanted = select(ReviewItem.priority, ReviewItem.due_at, ReviewItem.id)
        first = session.execute(_line(wanted.where(_free(now), *_not(but)), level, agent).limit(1)).one_or_none()
        if first is not None:
            firsts.append(((-first.priority, first.due_at, first.id), level))
    return [level for _, level in sorted(firsts)]


def try_claim_next(
    session: Session,
    login: str,
    *,
    agent: str | None,
    level: int,
    now: datetime,
    until: datetime,
    but: Collection[UUID] = (),
) -> ReviewItem | None:
    """Claim the first free item of a line in turn; None when nothing waits there."""
    first = _line(select(ReviewItem.id).where(_free(now), *_not(but)), level, agent)
    first = skip_locked(first.limit(1), session.get_bind().dialect.name)
    return session.scalar(
        update(ReviewItem)
        .where(ReviewItem.id == first.scalar_subquery(), _free(now))
        .values(claimed_by=login, claimed_at=now, claimed_until=until)
        .returning(ReviewItem)
        .execution_options(synchronize_session=False, populate_existing=True)
    )


def _not(but: Collection[UUID]) -> list[ColumnElement[bool]]:
    return [ReviewItem.id.not_in(but)] if but else []


def try_claim(session: Session, item_id: UUID, login: str, *, now: datetime, until: datetime) -> ReviewItem | None:
    """
    Claim this item if nobody else holds it; None when somebody does or it has ended.

    One's own is held on to, and how long the work takes is counted from the first claim.
    """
    mine = and_(WAITING, ReviewItem.claimed_by == login)
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
        .where(ReviewItem.id == item_id, WAITING, ReviewItem.claimed_by == login)
        .values(claimed_until=until)
        .returning(ReviewItem)
        .execution_options(synchronize_session=False, populate_existing=True)
    )


def try_release(session: Session, item_id: UUID, login: str) -> bool:
    released = session.scalar(
        update(ReviewItem)
        .where(ReviewItem.id == item_id, WAITING, ReviewItem.claimed_by == login)
        .values(claimed_by=None, claimed_at=None, claimed_until=None)
        .returning(ReviewItem.id)
        .execution_options(synchronize_session=False)
    )
    return released is not None


def try_end(session: Session, item_id: UUID, login: str, *, state: str, now: datetime) -> ReviewItem | None:
    """End an item that this person holds; None when it is not theirs any more."""
    return session.scalar(
        update(ReviewItem)
        .where(ReviewItem.id == item_id, WAITING, ReviewItem.claimed_by == login)
        .values(state=state, ended_at=now)
        .returning(ReviewItem)
        .execution_options(synchronize_session=False, populate_existing=True)
    )


def release_expired(session: Session, now: datetime) -> int:
    """Put items back in the queue whose reviewer walked away."""
    released = session.scalars(
        update(ReviewItem)
        .where(WAITING, ReviewItem.claimed_until < now)
        .values(claimed_by=None, claimed_at=None, claimed_until=None)
        .returning(ReviewItem.id)
        .execution_options(synchronize_session=False)
    )
    return len(released.all())


def open_page(
    session: Session, *, agent: str | None, levels: Sequence[int], offset: int, limit: int
) -> Sequence[ReviewItem]:
    """The queue in turn, held items included."""
    wanted = select(ReviewItem.id, ReviewItem.priority, ReviewItem.due_at).where(WAITING)
    lines = [_line(wanted, level, agent).limit(offset + limit).subquery() for level in levels]
    merged = union_all(*(select(line) for line in lines)).subquery()
    turn = merged.c.priority.desc(), merged.c.due_at, merged.c.id
    ids = session.scalars(select(merged.c.id).order_by(*turn).offset(offset).limit(limit)).all()
    found = {item.id: item for item in session.scalars(select(ReviewItem).where(ReviewItem.id.in_(ids)))}
    return [found[item_id] for item_id in ids if item_id in found]


def waiting_counts(session: Session, levels: Sequence[int]) -> dict[str, int]:
    """How many wait, by agent; counted no further than `COUNTED_UP_TO`."""
    some = select(ReviewItem.id).where(WAITING, ReviewItem.agent == Agent.name, ReviewItem.level.in_(levels))
    some_of_it = some.limit(COUNTED_UP_TO).correlate(Agent).subquery()
    count = select(func.count()).select_from(some_of_it).scalar_subquery()
    return {agent: waiting for agent, waiting in session.execute(select(Agent.name, count)).all() if waiting}


def ruled_since(session: Session, login: str, since: datetime) -> dict[str, int]:
    """How often a person ruled in which way since then."""
    statement = (
        select(Ruling.ruling, func.count()).where(Ruling.login == login, Ruling.at >= since).group_by(Ruling.ruling)
    )
    return dict(session.execute(statement).all())


def _rollouts_with_drafts() -> CTE:
    """From one version to the next in the index over what waits."""

    def least(*beyond: ColumnElement[bool]) -> ScalarSelect[UUID]:
        mine = select(ReviewItem.rollout_id).where(WAITING, _DRAFT, *beyond)
        return mine.order_by(ReviewItem.rollout_id).limit(1).scalar_subquery()

    found = select(least().label("rollout_id")).cte("waiting", recursive=True)
    beyond = least(ReviewItem.rollout_id > found.c.rollout_id)
    return found.union_all(select(beyond).where(found.c.rollout_id.is_not(None)))


def items_nobody_may_rule(session: Session, limit: int) -> Sequence[ReviewItem]:
    """
    Open review items whose version no longer drafts for people: demoted to shadow or evaluation, or retired.

    Not those of a frozen one: what it drafted before stays evidence, and whoever freezes it must not be able to
    erase that. Audits of what already happened stay too. Found from the few versions of which something waits, neither
    from all that waits nor from all versions that ever were.
    """
    gone = or_(Rollout.phase.in_(("evaluation", "shadow")), Rollout.standing == "retired")
    found: list[ReviewItem] = []
    waiting = _rollouts_with_drafts()
    for rollout_id in session.scalars(select(Rollout.id).join(waiting, waiting.c.rollout_id == Rollout.id).where(gone)):
        wanted = select(ReviewItem).where(WAITING, _DRAFT, ReviewItem.rollout_id == rollout_id)
        wanted = skip_locked(wanted.limit(limit - len(found)), session.get_bind().dialect.name)
        found += session.scalars(wanted)
        if len(found) >= limit:
            break
    return found


def overdue_in_the_first_line(session: Session, now: datetime, limit: int) -> list[ReviewItem]:
    """What nobody ruled on in time and nobody looks at now, the oldest first; locked."""
    wanted = select(ReviewItem).where(_free(now), ReviewItem.level == 1, ReviewItem.due_at < now)
    wanted = wanted.order_by(ReviewItem.due_at).limit(limit)
    return list(session.scalars(skip_locked(wanted, session.get_bind().dialect.name)))


def expired_in_the_second_line(session: Session, now: datetime, limit: int) -> list[ReviewItem]:
    """What nobody ruled on there either and nobody looks at now, the oldest first; locked."""
    wanted = select(ReviewItem).where(_free(now), ReviewItem.expires_at.is_not(None), ReviewItem.expires_at < now)
    wanted = wanted.order_by(ReviewItem.expires_at).limit(limit)
    return list(session.scalars(skip_locked(wanted, session.get_bind().dialect.name)))


def was_escalated_by_a_person(session: Session, item: ReviewItem) -> bool:
    """Whether somebody passed this case of the second line on; else it is there because its time was over."""
    passed_on = (
        select(Ruling.id)
        .join(ReviewItem, ReviewItem.id == Ruling.item_id)
        .where(ReviewItem.decision_id == item.decision_id, ReviewItem.level == item.level - 1)
    )
    return session.scalar(passed_on) is not None


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
