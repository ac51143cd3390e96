"""Statements on when work for reviewers arrives, and on how long it takes."""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rollout.versions.tables import Rollout
from routing.cases.tables import THRESHOLDED
from routing.staffing.week import Arrivals
from routing.tallies.tables import WorkTotal

REVIEWED = frozenset({"review", "audit"})
"""The lanes of which every case comes into the first line; `THRESHOLDED` are those the threshold deals out."""


class Handled(NamedTuple):
    """How many verdicts were given by somebody who held the case, and how long they held it on average."""

    rulings: int
    mean_seconds: float | None


def reviews_by_hour(session: Session, agent: str | None, since: datetime, until: datetime) -> Sequence[Arrivals]:
    """Reviews and audits that came into the first line, of one agent or of all."""
    return _by_hour(session, agent, REVIEWED, since, until)


def cases_by_hour(session: Session, agent: str | None, since: datetime, until: datetime) -> Sequence[Arrivals]:
    """Cases that went to the agent or to a person by their confidence."""
    return _by_hour(session, agent, THRESHOLDED, since, until)


def first_review(session: Session, agent: str | None, since: datetime) -> datetime | None:
    """The hour in which the first review came; a time before `since` where that was earlier, however much."""
    reviews = WorkTotal.lane.in_(REVIEWED), WorkTotal.cases > 0
    before = _of(agent, select(WorkTotal.day, WorkTotal.hour)).where(*reviews, WorkTotal.day < since.date()).limit(1)
    found = session.execute(before).first()
    if found is None:
        first = _of(agent, select(WorkTotal.day, WorkTotal.hour)).where(*reviews, WorkTotal.day >= since.date())
        found = session.execute(first.order_by(WorkTotal.day, WorkTotal.hour).limit(1)).first()
    return None if found is None else _moment(*found)


def handled(session: Session, agent: str | None, first: date) -> Handled:
    """Verdicts on cases from this day on. Those read from a file were never held and are left out."""
    wanted = select(func.sum(WorkTotal.timed), func.sum(WorkTotal.held_ms)).where(WorkTotal.day >= first)
    timed, milliseconds = session.execute(_of(agent, wanted)).one()
    return Handled(int(timed), int(milliseconds) / timed / 1000.0) if timed else Handled(0, None)


def _by_hour(
    session: Session, agent: str | None, lanes: Collection[str], since: datetime, until: datetime
) -> Sequence[Arrivals]:
    key, cases = (WorkTotal.day, WorkTotal.hour), func.sum(WorkTotal.cases)
    days = WorkTotal.day >= since.date(), WorkTotal.day <= until.date()
    wanted = _of(agent, select(*key, cases)).where(*days, WorkTotal.lane.in_(lanes)).group_by(*key)
    rows = session.execute(wanted.having(cases > 0).order_by(*key))
    found = (Arrivals(_moment(day, hour), int(number)) for day, hour, number in rows)
    return [one for one in found if since <= one.begins < until]


def _moment(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), tzinfo=UTC)


def _of(agent: str | None, wanted: Any) -> Any:
    if agent is None:
        return wanted
    mine = select(Rollout.id).where(Rollout.agent == agent)
    return wanted.where(WorkTotal.rollout_id.in_(mine))
