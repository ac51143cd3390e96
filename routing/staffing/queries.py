"""Statements on when work for reviewers arrives, and on how long it takes."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from kit.dialects import utc_day, utc_hour
from routing.cases.tables import Decision
from routing.gold.queries import GOLD
from routing.reviews.tables import ReviewItem, Ruling
from routing.staffing.week import Arrivals

_DEALT_OUT = ("review", "auto", "audit")
"""The lanes of cases that the threshold shares out between the agent and people."""


class Handled(NamedTuple):
    """How many rulings were given by somebody who held the case, and how long they held it on average."""

    rulings: int
    mean_seconds: float | None


def reviews_by_hour(session: Session, agent: str | None, since: datetime, until: datetime) -> Sequence[Arrivals]:
    """Reviews and audits that came into the first line, of one agent or of all."""
    wanted: list[ColumnElement[bool]] = [ReviewItem.level == 1, ReviewItem.kind != GOLD]
    if agent is not None:
        wanted.append(ReviewItem.agent == agent)
    return _by_hour(session, ReviewItem.created_at, wanted, since, until)


def cases_by_hour(session: Session, agent: str | None, since: datetime, until: datetime) -> Sequence[Arrivals]:
    """Cases that went to the agent or to a person by their confidence."""
    wanted: list[ColumnElement[bool]] = [Decision.lane.in_(_DEALT_OUT)]
    if agent is not None:
        wanted.append(Decision.agent == agent)
    return _by_hour(session, Decision.decided_at, wanted, since, until)


def first_review(session: Session, agent: str | None) -> datetime | None:
    wanted = select(func.min(ReviewItem.created_at))
    found: datetime | None = session.scalar(wanted if agent is None else wanted.where(ReviewItem.agent == agent))
    return found


def handled(session: Session, agent: str | None, since: datetime) -> Handled:
    """Rulings since then. Those read from a file were never held and are left out."""
    timed = Ruling.at >= since, Ruling.held_seconds > 0.0, Ruling.undone_at.is_(None), ReviewItem.kind != GOLD
    wanted = select(func.count(), func.avg(Ruling.held_seconds)).where(*timed)
    wanted = wanted.join(ReviewItem, ReviewItem.id == Ruling.item_id)
    if agent is not None:
        wanted = wanted.where(ReviewItem.agent == agent)
    rulings, seconds = session.execute(wanted).one()
    return Handled(int(rulings), float(seconds) if seconds is not None else None)


def _by_hour(
    session: Session, column: Any, wanted: list[ColumnElement[bool]], since: datetime, until: datetime
) -> Sequence[Arrivals]:
    dialect = session.get_bind().dialect.name
    day, hour = utc_day(column, dialect).label("day"), utc_hour(column, dialect).label("hour")
    statement = select(day, hour, func.count()).where(*wanted, column >= since, column < until)
    return [
        Arrivals(
            datetime.combine(on if isinstance(on, date) else date.fromisoformat(on), time(int(at)), tzinfo=UTC), count
        )
        for on, at, count in session.execute(statement.group_by(day, hour).order_by(day, hour))
    ]
