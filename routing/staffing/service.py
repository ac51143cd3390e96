"""
How many reviewers it takes to start on every review within a promised time, hour by hour of the week.

Arrivals are counted over the last four weeks, or worked out for another share of automation; the time that a review
takes is measured from claims and rulings, or given. Where neither is known there is no figure, but the reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from evidence import staffing
from evidence.staffing import HOURS_OF_A_WEEK, HourOfWeek
from routing.staffing import queries
from routing.staffing.week import WEEK, arrivals_per_hour, zone_of

WINDOW = timedelta(weeks=4)
RULINGS_NEEDED = 30
"""With fewer rulings than this the mean time of a review is a guess."""
_MINUTES = 60.0


@dataclass(frozen=True, slots=True)
class Wish:
    """
    What is asked: `share` of the reviews begun within `within_minutes`.

    `automation` and `audit_rate` ask what would be if that share went alone; without them the reviews that came are
    counted. `reviewers` is how many are there, every hour; without it as many as are needed.
    """

    agent: str | None = None
    within_minutes: float = 60.0
    share: float = 0.9
    minutes_per_review: float | None = None
    reviewers: int | None = None
    automation: float | None = None
    audit_rate: float = 0.0
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Handling:
    """
    The minutes that a review takes: `minutes` are used, as `given` or else as `measured` on so many `rulings`: verdicts
    on cases of the last four weeks that can no longer be taken back.
    """

    minutes: float | None
    given: bool
    measured: float | None
    rulings: int


@dataclass(frozen=True, slots=True)
class Plan:
    """`hours` are the 168 of the week from Monday 0:00 on, or none, and then `reason` says what is missing."""

    wish: Wish
    since: datetime
    until: datetime
    arrived: int
    handling: Handling
    hours: tuple[HourOfWeek, ...]
    reason: str | None

    @property
    def most_needed(self) -> int:
        return max((hour.needed for hour in self.hours), default=0)

    @property
    def unstable(self) -> int:
        """Hours in which the reviewers cannot keep up."""
        return sum(not hour.stable for hour in self.hours)


def plan(session: Session, wish: Wish, *, now: datetime) -> Plan:
    zone = zone_of(wish.zone)
    until = now.replace(minute=0, second=0, microsecond=0)
    first = queries.first_review(session, wish.agent, until - WINDOW)
    began = until if first is None else first
    since = max(until - WINDOW, min(began, until))
    handling = _handling(wish, queries.handled(session, wish.agent, (now - WINDOW).date()))
    count = queries.reviews_by_hour if wish.automation is None else queries.cases_by_hour
    came = count(session, wish.agent, since, until)
    reason = _missing(first, until - since, handling)
    hours = (
        ()
        if reason or not handling.minutes
        else _hours(wish, arrivals_per_hour(came, since, until, zone), handling.minutes)
    )
    return Plan(wish, since, until, sum(row.number for row in came), handling, hours, reason)


def _handling(wish: Wish, found: queries.Handled) -> Handling:
    measured = found.mean_seconds / _MINUTES if found.mean_seconds is not None else None
    if wish.minutes_per_review is not None:
        return Handling(wish.minutes_per_review, True, measured, found.rulings)
    return Handling(measured if found.rulings >= RULINGS_NEEDED else None, False, measured, found.rulings)


def _missing(first: datetime | None, seen: timedelta, handling: Handling) -> str | None:
    if first is None:
        return "no review has come yet, so nobody knows how many will"
    if seen < WEEK:
        return "reviews have come for less than a week, so some hours of the week have not been seen yet"
    if handling.minutes is None:
        told = f"{handling.rulings} rulings of the last four weeks were timed, {RULINGS_NEEDED} are needed"
        return f"the time of a review is not known: {told}; say how many minutes it takes"
    return None


def _hours(wish: Wish, per_hour: Sequence[float], minutes: float) -> tuple[HourOfWeek, ...]:
    service, within = _MINUTES / minutes, wish.within_minutes / _MINUTES
    arrivals = list(per_hour)
    if wish.automation is not None:
        arrivals = staffing.review_arrivals(per_hour, wish.automation, wish.audit_rate).tolist()
    needed = [staffing.reviewers_needed(hour, service, within, wish.share) for hour in arrivals]
    servers = needed if wish.reviewers is None else [wish.reviewers] * HOURS_OF_A_WEEK
    return staffing.week(arrivals, servers, service, within, wish.share)
