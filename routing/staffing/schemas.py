"""What goes over the wire about the staffing of the queue."""

from datetime import datetime

from kit.wire import Out
from routing.staffing.service import Plan

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_HOURS = 24


class HourOut(Out):
    """
    One hour of the week, `hour` in 0..23 of `day`.

    `late` is the share of reviews that wait longer than promised; when not `stable`, more arrive than `reviewers` can
    do, so the queue grows as long as the hour lasts and `mean_wait_minutes` is null.
    """

    day: str
    hour: int
    arrivals: float
    needed: int
    reviewers: int
    stable: bool
    late: float
    mean_wait_minutes: float | None


class StaffingOut(Out):
    """`hours` are the 168 of the week, or none, and then `reason` says what is missing."""

    agent: str | None
    zone: str
    since: datetime
    until: datetime
    arrived: int
    within_minutes: float
    share: float
    automation: float | None
    minutes_per_review: float | None
    minutes_given: bool
    minutes_measured: float | None
    rulings_timed: int
    most_needed: int
    unstable_hours: int
    hours: list[HourOut]
    reason: str | None


def staffing_out(plan: Plan) -> StaffingOut:
    wish, handling = plan.wish, plan.handling
    return StaffingOut(
        agent=wish.agent,
        zone=wish.zone,
        since=plan.since,
        until=plan.until,
        arrived=plan.arrived,
        within_minutes=wish.within_minutes,
        share=wish.share,
        automation=wish.automation,
        minutes_per_review=handling.minutes,
        minutes_given=handling.given,
        minutes_measured=handling.measured,
        rulings_timed=handling.rulings,
        most_needed=plan.most_needed,
        unstable_hours=plan.unstable,
        hours=[
            HourOut(
                day=DAYS[hour.hour // _HOURS],
                hour=hour.hour % _HOURS,
                arrivals=hour.arrivals,
                needed=hour.needed,
                reviewers=hour.queue.servers,
                stable=hour.stable,
                late=hour.late,
                mean_wait_minutes=None if hour.queue.mean_wait is None else hour.queue.mean_wait * 60.0,
            )
            for hour in plan.hours
        ],
        reason=plan.reason,
    )
