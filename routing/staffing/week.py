"""Arrivals as a mean week: how many come in each of its 168 hours. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from evidence.staffing import HOURS_OF_A_WEEK
from kit.errors import Invalid, Place

WEEK = timedelta(weeks=1)
_HOUR = timedelta(hours=1)


class Arrivals(NamedTuple):
    """How many came within the hour that begins then."""

    begins: datetime
    number: int


def arrivals_per_hour(came: Iterable[Arrivals], since: datetime, until: datetime, zone: ZoneInfo) -> list[float]:
    """
    The mean number of arrivals in each hour of the week, from Monday 0:00 in that zone, over as often as it was seen.

    `since` and `until` are whole hours. Where clocks are put forward within the only week there is, one local hour
    was not seen; then nothing came in it either.
    """
    counts, seen = [0] * HOURS_OF_A_WEEK, [0] * HOURS_OF_A_WEEK
    for row in came:
        counts[_place(row.begins, zone)] += row.number
    for begins in _each_hour(since, until):
        seen[_place(begins, zone)] += 1
    return [count / max(times, 1) for count, times in zip(counts, seen, strict=True)]


def zone_of(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        place = Place("zone", "it is not a time zone", "send one like UTC or Europe/Zurich")
        raise Invalid("zone: it is not a time zone", places=[place]) from None


def _each_hour(since: datetime, until: datetime) -> Iterator[datetime]:
    while since < until:
        yield since
        since += _HOUR


def _place(begins: datetime, zone: ZoneInfo) -> int:
    local = begins.astimezone(zone)
    return local.weekday() * 24 + local.hour
