"""When somebody may be written to: never in their quiet hours, and never twice within five minutes."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Pace = Literal["soon", "hourly", "daily"]

GAP = timedelta(minutes=5)
"""At least so long between two messages to one person, whatever they are about and however often one is tried."""
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Hours:
    """When somebody wants to be written to, by the clock on their wall."""

    zone: str = "UTC"
    pace: Pace = "soon"
    daily_at: time = time(8)  # of the pace "daily"
    quiet_from: time | None = None
    quiet_until: time | None = None


def is_quiet(hours: Hours, now: datetime) -> bool:
    """Whether their quiet hours are on; from 22:00 until 07:00 goes over midnight."""
    return is_quiet_at(hours, now.astimezone(ZoneInfo(hours.zone)).time())


def is_quiet_at(hours: Hours, local: time) -> bool:
    if hours.quiet_from is None or hours.quiet_until is None:
        return False
    if hours.quiet_from <= hours.quiet_until:
        return hours.quiet_from <= local < hours.quiet_until
    return local >= hours.quiet_from or local < hours.quiet_until


def quiet_over(hours: Hours, now: datetime) -> datetime:
    """The next moment at which their wall clock shows the end of their quiet hours; `now` where they have none."""
    if hours.quiet_until is None:
        return now
    zone = ZoneInfo(hours.zone)
    today = now.astimezone(zone).date()
    ends = [
        datetime.combine(day, hours.quiet_until, zone).replace(fold=fold).astimezone(now.tzinfo)
        for day in (today, today + _DAY)
        for fold in (0, 1)  # where the clock is put back, it shows the end twice
    ]
    return min(end for end in ends if end > now)


def next_time(hours: Hours, told: datetime | None, now: datetime) -> datetime:
    """From when on the next message may go, if the last one was tried at `told`. Quiet hours come on top."""
    free = now if told is None else max(now, told + GAP)
    match hours.pace:
        case "soon":
            return free
        case "hourly":
            return free if told is None else max(free, told + _HOUR)
        case "daily":
            return _next_at(hours, free)


def _next_at(hours: Hours, after: datetime) -> datetime:
    """The next moment, later than this, at which the clock on their wall shows the hour of their daily message."""
    zone = ZoneInfo(hours.zone)
    day = after.astimezone(zone).date()
    found = datetime.combine(day, hours.daily_at, zone).astimezone(after.tzinfo)
    if found <= after:
        found = datetime.combine(day + _DAY, hours.daily_at, zone).astimezone(after.tzinfo)
    return found
