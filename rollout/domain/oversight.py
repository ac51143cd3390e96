"""Periodic reviews: at least weekly at first, monthly afterwards. An overdue one holds; it never demotes."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final

from rollout.domain.plan import Oversight

WEEK: Final = timedelta(days=7)
MONTH: Final = timedelta(days=31)


def next_review_due(oversight: Oversight, first_phase_at: datetime | None, held: Iterable[datetime]) -> date | None:
    """
    The last day on which the next review is in time; None while the agent has not left evaluation.

    Counted in days: a review on Monday at nine and one on the next Monday at ten are a week apart.
    """
    if first_phase_at is None:
        return None
    first = first_phase_at.date()
    last = max((first, *(at.date() for at in held)))
    weekly_until = first + timedelta(days=oversight.weekly_days)
    return last + (WEEK if last + WEEK <= weekly_until else MONTH)
