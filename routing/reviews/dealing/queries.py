"""
Who is dealt what next. A claim is one conditional UPDATE, so two people cannot both win.

Whatever keeps an item from a person stands in `may_be_dealt` and nowhere else: every statement that hands one out
asks it, in turn, by name and ahead alike.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.orm import Session, aliased

from kit.dialects import skip_locked
from routing.reviews.tables import ReviewItem, Ruling

# A literal, not a parameter: a plan made for any value could not use the indexes over what waits.
WAITING: ColumnElement[bool] = ReviewItem.state == literal_column("'waiting'")

shown_kind: ColumnElement[str] = func.coalesce(ReviewItem.shown_as, ReviewItem.kind)
"""What kind a reviewer is told it is."""


def free(now: datetime) -> ColumnElement[bool]:
    """Waits, and nobody holds it."""
    return and_(WAITING, or_(ReviewItem.claimed_by.is_(None), ReviewItem.claimed_until < now))


def may_be_dealt(login: str, *, alone: bool = False) -> list[ColumnElement[bool]]:
    """
    What must hold of an item, beyond being free, before this person may be handed it. A condition for a few items
    only: one that leaves out most of what waits belongs into an index, or a claim reads past all of it.

    What they passed on themselves is for somebody else. `alone`: unless there is nobody else.
    """
    return [] if alone else [or_(ReviewItem.level == literal_column("1"), ~_ruled_by(login))]


def _ruled_by(login: str) -> ColumnElement[bool]:
    """Whether this person has ruled on the same output, in another item of it."""
    other = aliased(ReviewItem)
    theirs = Ruling.login == login, Ruling.undone_at.is_(None), other.decision_id == ReviewItem.decision_id
    return exists().where(Ruling.item_id == other.id, *theirs).correlate(ReviewItem)


# Urgent first, then what is due first: the oldest, never the newest.
TURN = (ReviewItem.priority.desc(), ReviewItem.due_at, ReviewItem.id)


@dataclass(frozen=True, slots=True)
class Narrow:
    """What part of the queue is meant; everything, where nothing is said."""

    agent: str | None = None
    segment: str | None = None  # of that agent
    kind: str | None = None  # review or audit
    urgent: bool = False
    due_before: datetime | None = None

    def __call__(self, statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
        if self.agent is not None:
            statement = statement.where(ReviewItem.agent == self.agent)
        if self.segment is not None:  # as a literal too, for the index that leaves out those without a segment
            statement = statement.where(ReviewItem.segment == self.segment, ReviewItem.segment != literal_column("''"))
        if self.kind is not None:
            statement = statement.where(shown_kind == self.kind)
        if self.urgent:
            statement = statement.where(ReviewItem.priority > 0)
        return statement if self.due_before is None else statement.where(ReviewItem.due_at < self.due_before)


def line(statement: Select[*tuple[Any, ...]], level: int, wanted: Narrow) -> Select[*tuple[Any, ...]]:
    """
    One line of the queue in turn. One line at a time, since only then an index has its rows in order: over two
    lines at once a million waiting cases are sorted to find the first.
    """
    return wanted(statement.where(ReviewItem.level == level).order_by(*TURN))


def _mine(login: str, now: datetime, wanted: Narrow, *, ahead: bool) -> Select[*tuple[Any, ...]]:
    mine = ReviewItem.claimed_by == login, ReviewItem.claimed_until >= now, ReviewItem.ahead.is_(ahead)
    return wanted(select(ReviewItem).where(WAITING, *mine))


def held_by(
    session: Session, login: str, now: datetime, *, agent: str | None = None, segment: str | None = None
) -> ReviewItem | None:
    """
    The case a person looks at, if any; reloading a page must not take another one. Of several the one they took
    first: after an undo, the one that came back.
    """
    statement = _mine(login, now, Narrow(agent, segment), ahead=False).order_by(ReviewItem.claimed_at, ReviewItem.id)
    held: ReviewItem | None = session.scalar(statement.limit(1))
    return held


def looked_at(session: Session, login: str, now: datetime, *, agent: str | None = None) -> Sequence[ReviewItem]:
    """All the cases a person has on the desk: more than one after an undo, or when they took one out of turn."""
    statement = _mine(login, now, Narrow(agent), ahead=False).order_by(ReviewItem.claimed_at, ReviewItem.id)
    return session.scalars(statement.limit(10)).all()


def held_ahead(
    session: Session, login: str, now: datetime, *, agent: str | None = None, segment: str | None = None
) -> Sequence[ReviewItem]:
    """The cases a person will get next, in turn."""
    found: Sequence[ReviewItem] = session.scalars(
        _mine(login, now, Narrow(agent, segment), ahead=True).order_by(*TURN)
    ).all()
    return found


def renew_ahead(session: Session, ids: Sequence[UUID], login: str, *, until: datetime) -> None:
    """Hold on to cases nobody has seen yet."""
    if ids:
        mine = ReviewItem.id.in_(ids), WAITING, ReviewItem.claimed_by == login, ReviewItem.ahead.is_(True)
        session.execute(update(ReviewItem).where(*mine).values(claimed_until=until))


def lines_in_turn(
    session: Session,
    login: str,
    wanted: Narrow,
    *,
    levels: Sequence[int],
    now: datetime,
    but: Collection[UUID] = (),
    alone: bool = False,
) -> list[int]:
    """The lines in which something is free, the one whose first case comes first at the front."""
    if len(levels) == 1:
        return list(levels)
    firsts = []
    for level in levels:
        columns = select(ReviewItem.priority, ReviewItem.due_at, ReviewItem.id)
        first_of = line(columns.where(*_to_deal(login, now, but, alone=alone)), level, wanted)
        first = session.execute(first_of.limit(1)).one_or_none()
        if first is not None:
            firsts.append(((-first.priority, first.due_at, first.id), level))
    return [level for _, level in sorted(firsts)]


def try_claim_next(
    session: Session,
    login: str,
    wanted: Narrow,
    *,
    level: int,
    now: datetime,
    until: datetime,
    but: Collection[UUID] = (),
    ahead: bool = False,
    alone: bool = False,
) -> ReviewItem | None:
    """Claim the first free item of a line in turn, or hold it ahead; None when nothing waits there."""
    first = line(select(ReviewItem.id).where(*_to_deal(login, now, but, alone=alone)), level, wanted)
    first = skip_locked(first.limit(1), session.get_bind().dialect.name)
    return session.scalar(
        update(ReviewItem)
        .where(ReviewItem.id == first.scalar_subquery(), free(now))
        .values(claimed_by=login, claimed_at=now, claimed_until=until, ahead=ahead)
        .returning(ReviewItem)
        .execution_options(synchronize_session=False, populate_existing=True)
    )


def _to_deal(login: str, now: datetime, but: Collection[UUID], *, alone: bool) -> list[ColumnElement[bool]]:
    return [free(now), *may_be_dealt(login, alone=alone), *([ReviewItem.id.not_in(but)] if but else [])]


def try_claim(
    session: Session, item_id: UUID, login: str, *, now: datetime, until: datetime, alone: bool = False
) -> ReviewItem | None:
    """
    Claim this item if nobody else holds it; None when somebody does or it has ended.

    One's own is held on to, and how long the work takes is counted from the first claim that showed it.
    """
    mine = and_(WAITING, ReviewItem.claimed_by == login)
    fresh = literal(now, ReviewItem.claimed_at.type)
    seen = and_(mine, ReviewItem.claimed_until >= now, ReviewItem.ahead.is_(False))
    since = case((seen, ReviewItem.claimed_at), else_=fresh)
    return session.scalar(
        update(ReviewItem)
        .where(ReviewItem.id == item_id, or_(and_(free(now), *may_be_dealt(login, alone=alone)), mine))
        .values(claimed_by=login, claimed_at=since, claimed_until=until, ahead=False)
        .returning(ReviewItem)
        .execution_options(synchronize_session=False, populate_existing=True)
    )


def open_page(
    session: Session,
    *,
    agent: str | None = None,
    levels: Sequence[int],
    offset: int,
    limit: int,
    narrow: Narrow | None = None,
) -> Sequence[ReviewItem]:
    """The queue in turn, held items included; of an agent, or as narrowed."""
    narrow = narrow or Narrow(agent)
    if not levels:
        return ()
    wanted = select(ReviewItem.id, ReviewItem.priority, ReviewItem.due_at).where(WAITING)
    firsts = [line(wanted, level, narrow).limit(offset + limit).subquery() for level in levels]
    merged = union_all(*(select(first) for first in firsts)).subquery()
    turn = merged.c.priority.desc(), merged.c.due_at, merged.c.id
    ids = session.scalars(select(merged.c.id).order_by(*turn).offset(offset).limit(limit)).all()
    found = {item.id: item for item in session.scalars(select(ReviewItem).where(ReviewItem.id.in_(ids)))}
    return [found[item_id] for item_id in ids if item_id in found]
