"""The week as a table whose tone follows the numbers: how many reviewers every hour takes."""

from dataclasses import dataclass

from evidence.staffing import HourOfWeek
from rollout.domain import words
from routing.staffing.schemas import DAYS
from routing.staffing.service import Plan

_HOURS = 24
_LEVELS = 5


@dataclass(frozen=True, slots=True)
class Cell:
    """One hour: how many are needed, the tone from 0 to 5, and whether those who are there cannot keep up."""

    needed: int
    level: int
    unstable: bool
    words: str


@dataclass(frozen=True, slots=True)
class WeekView:
    """Hours down, days across; only the hours of the day from the first to the last in which anything comes."""

    days: tuple[str, ...]
    rows: list[tuple[str, list[Cell]]]
    quiet: str
    most: int
    unstable: int
    reviewers: int | None


def week_view(plan: Plan) -> WeekView | None:
    """None where there is no figure; the plan says why."""
    if not plan.hours:
        return None
    busy = [hour.hour % _HOURS for hour in plan.hours if hour.arrivals > 0.0]
    first, last = min(busy, default=0), max(busy, default=_HOURS - 1)
    most = max(plan.most_needed, 1)
    rows = [
        (f"{hour:02d}:00", [_cell(plan.hours[day * _HOURS + hour], most) for day in range(len(DAYS))])
        for hour in range(first, last + 1)
    ]
    left_out = first > 0 or last < _HOURS - 1
    return WeekView(
        days=DAYS,
        rows=rows,
        quiet="Nothing comes in the hours that are left out." if left_out else "",
        most=plan.most_needed,
        unstable=plan.unstable,
        reviewers=plan.wish.reviewers,
    )


def _cell(hour: HourOfWeek, most: int) -> Cell:
    arrivals = f"{hour.arrivals:.1f} reviews come"
    told = f"{arrivals}; {words.plural(hour.queue.servers, 'reviewer')} cannot keep up" if not hour.stable else arrivals
    return Cell(hour.needed, -(-hour.needed * _LEVELS // most), not hour.stable, told)
