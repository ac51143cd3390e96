"""
When advancing is allowed. Windows stop advancing, never demotion.

A window opens once on each of its days, when the clocks of its zone first show `opens`, and stays open until they
first show `closes`. Where the clocks go back in between it lasts an hour longer, and where they skip either time the
moment of the skip takes its place: a window that is skipped altogether does not open on that day.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rollout.domain.plan import Weekday, Window

_WEEKDAYS = tuple(Weekday)
_MINUTE = timedelta(minutes=1)
_DAYS_AHEAD = 15  # a weekly window that is skipped on one day opens on the same day of the next week


def is_open(windows: Iterable[Window], now: datetime) -> bool:
    """Whether `now` is in any window; without a window, always. The start is inside, the end is not."""
    windows = tuple(windows)
    return not windows or any(_covers(window, now) for window in windows)


def next_opening(windows: Iterable[Window], now: datetime) -> datetime | None:
    """When the next window opens, later than now; `None` without windows."""
    openings = [opens for window in windows for opens, _ in _times(window, now, _DAYS_AHEAD) if opens > now]
    return min(openings, default=None)


def known_timezone(name: str) -> bool:
    try:
        _timezone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # whatever the name makes of a file's path
        return False
    return True


def _timezone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


def _covers(window: Window, now: datetime) -> bool:
    return any(opens <= now < closes for opens, closes in _times(window, now, 1))


def _times(window: Window, now: datetime, days: int) -> Iterator[tuple[datetime, datetime]]:
    """Opening and closing on each of so many days, today included."""
    zone = _timezone(window.timezone)
    today = now.astimezone(zone).date()
    for day in (today + timedelta(days=ahead) for ahead in range(days)):
        if _WEEKDAYS[day.weekday()] in window.days:
            opens, closes = _first(day, window.opens, zone), _first(day, window.closes, zone)
            if opens < closes:
                yield opens, closes


def _first(day: date, clock: str, zone: tzinfo) -> datetime:
    """The first moment of a day at which the clocks of a zone show this time, or have gone past it."""
    hours, minutes = (int(part) for part in clock.split(":"))
    shown = datetime.combine(day, time()) + timedelta(hours=hours, minutes=minutes)  # 24:00 is the next midnight
    first, second = (shown.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= second:
        return first
    # The clocks skip this time; then the two readings lie on either side of the skip (PEP 495).
    around = [second + _MINUTE * step for step in range((first - second) // _MINUTE + 1)]
    return around[bisect_left(around, shown, key=lambda moment: moment.astimezone(zone).replace(tzinfo=None))]
