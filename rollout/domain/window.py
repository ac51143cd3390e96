"""When advancing is allowed. Windows stop advancing, never demotion."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rollout.domain.plan import Weekday, Window

_WEEKDAYS = tuple(Weekday)


def is_open(windows: Iterable[Window], now: datetime) -> bool:
    """Whether `now` is in any window; without a window, always. The start is inside, the end is not."""
    windows = tuple(windows)
    return not windows or any(_covers(window, now) for window in windows)


def next_opening(windows: Iterable[Window], now: datetime) -> datetime | None:
    """When the next window opens, later than now; `None` without windows."""
    openings = [opening for window in windows for opening in _openings(window, now) if opening > now]
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
    local = now.astimezone(_timezone(window.timezone))
    return _WEEKDAYS[local.weekday()] in window.days and window.opens <= f"{local:%H:%M}" < window.closes


def _openings(window: Window, now: datetime) -> Iterable[datetime]:
    """The openings of the eight days from today on; in eight days every window opens."""
    zone = _timezone(window.timezone)
    local = now.astimezone(zone)
    hour, minute = (int(part) for part in window.opens.split(":"))
    for days in range(8):
        day = local + timedelta(days=days)
        if _WEEKDAYS[day.weekday()] in window.days:
            opening = day.replace(hour=hour, minute=minute, second=0, microsecond=0)
            yield opening.astimezone(UTC)
