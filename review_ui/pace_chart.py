"""Geometry of the chart of one's own pace: the middle time of a ruling, day by day. No limit: none is set."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from review_ui.charts import Tick
from rollout.domain.words import NBSP
from routing.reviewer.queries import Day

_SIZES = {"wide": (920, 220, 64, 16, 16, 36, 6), "narrow": (360, 200, 52, 12, 16, 36, 3)}
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
_LINES = 5
_MINUTE, _HOUR = 60, 3600


@dataclass(frozen=True, slots=True)
class PaceDrawing:
    fit: str
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    across: list[Tick]
    up: list[Tick]
    line: str
    dots: list[tuple[float, float]]


def duration(seconds: float) -> str:
    """`42 s`, `3.5 min`, `1.2 h`: as one says how long something took."""
    if seconds < 1.5 * _MINUTE:
        return f"{seconds:.0f}{NBSP}s"
    if seconds < 1.5 * _HOUR:
        return f"{seconds / _MINUTE:.1f}".removesuffix(".0") + f"{NBSP}min"
    return f"{seconds / _HOUR:.1f}".removesuffix(".0") + f"{NBSP}h"


def pace_drawings(days: Sequence[Day]) -> list[PaceDrawing]:
    """The wide and the narrow drawing; nothing for fewer than two days, since one point is no course."""
    return [_draw(fit, days) for fit in _SIZES] if len(days) > 1 else []


def _draw(fit: str, days: Sequence[Day]) -> PaceDrawing:
    width, height, left, margin, top, foot, dates = _SIZES[fit]
    right, bottom = width - margin, height - foot
    longest = max(day.median_seconds for day in days)
    step = next((step for step in _STEPS if longest / step <= _LINES), _STEPS[-1])
    highest = step * max(-(-longest // step), 1)
    first, span = days[0].day, (days[-1].day - days[0].day).days

    def x(after: int) -> float:
        return round(left + after / span * (right - left), 1)

    def y(seconds: float) -> float:
        return round(bottom - seconds / highest * (bottom - top), 1)

    dots = [(x((day.day - first).days), y(day.median_seconds)) for day in days]
    every = max(-(-span // dates), 1)
    across = [
        Tick(x(after), f"{on.day} {on:%b}", "start" if after == 0 else "end" if after + every > span else "middle")
        for after in range(0, span + 1, every)
        for on in (first + timedelta(days=after),)
    ]
    return PaceDrawing(
        fit=fit, width=width, height=height, left=left, right=right, top=top, bottom=bottom, across=across,
        up=[Tick(y(level), duration(level)) for level in (step * index for index in range(int(highest // step) + 1))],
        line="M" + " L".join(f"{across_at} {up_at}" for across_at, up_at in dots),
        dots=dots,
    )  # fmt: skip
