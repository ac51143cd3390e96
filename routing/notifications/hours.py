"""The stored hours of a person, as the rules of `routing.domain.telling` want them."""

from datetime import time
from typing import cast

from routing.domain.telling import Hours, Pace
from routing.notifications.tables import NotificationSettings


def read_clock(text: str) -> time:
    """`07:30`, as the form and the API send it."""
    return time.fromisoformat(text)


def hours_of(row: NotificationSettings) -> Hours:
    return Hours(
        zone=row.zone,
        pace=cast("Pace", row.pace),
        daily_at=read_clock(row.daily_at),
        quiet_from=read_clock(row.quiet_from) if row.quiet_from else None,
        quiet_until=read_clock(row.quiet_until) if row.quiet_until else None,
    )
