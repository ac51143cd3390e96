"""
Geometry of the inline charts: numbers in, coordinates out, so that the templates only draw.

A bound is a full line, what was seen a dotted one, the limit a dashed one with its own label; a table stands
behind each chart.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from review_ui import words

_ROOM_FOR_TWO = 44
"""Units between two lines that leave a label of the lower one enough room above it."""

_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5)


@dataclass(frozen=True, slots=True)
class Point:
    """One look: when, and what the evidence said then. Shares from 0 to 1."""

    at: datetime
    bound: float
    other: float
    seen: float
    bad: int
    cases: int


@dataclass(frozen=True, slots=True)
class Tick:
    place: float
    words: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Drawing:
    """One drawing of the series, for a wide or a narrow space."""

    fit: str
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    across: list[Tick]
    up: list[Tick]
    band: str
    line: str
    seen: str
    limit_y: float
    limit_words: str
    limit_words_y: float
    end_x: float
    end_y: float
    end_words: str
    end_words_y: float


@dataclass(frozen=True, slots=True)
class Spark:
    line: str
    limit_y: float
    end_x: float
    end_y: float


_SIZES = {"wide": (920, 296, 72, 12, 16, 40, 6), "narrow": (360, 240, 52, 12, 16, 40, 3)}


def series(points: Sequence[Point], limit: float, direction: str, *, kind: str = "rate") -> list[Drawing]:
    """The wide and the narrow drawing; nothing for fewer than two looks, since one point is no course."""
    if len(points) < 2:  # noqa: PLR2004
        return []
    return [_draw(fit, points, limit, direction, kind) for fit in _SIZES]


def _draw(fit: str, points: Sequence[Point], limit: float, direction: str, kind: str) -> Drawing:
    width, height, left, margin, top, foot, dates = _SIZES[fit]
    right, bottom = width - margin, height - foot
    low, high, step = _range(points, limit, direction)
    begin, span = points[0].at, max((points[-1].at - points[0].at).total_seconds(), 1.0)

    def x(at: datetime) -> float:
        return round(left + (at - begin).total_seconds() / span * (right - left), 1)

    def y(value: float) -> float:
        inside = min(max(value, low), high)
        return round(bottom - (inside - low) / (high - low) * (bottom - top), 1)

    upper = [(x(point.at), y(point.bound)) for point in points]
    lower = [(x(point.at), y(point.other)) for point in points]
    end_x, end_y = upper[-1]
    return Drawing(
        fit=fit, width=width, height=height, left=left, right=right, top=top, bottom=bottom,
        across=_dates(begin, points[-1].at, dates, x),
        up=[Tick(y(value), words.amount(round(value, 6), kind)) for value in _levels(low, high, step)],
        band=f"{_path(upper)} {_path(lower[::-1]).replace('M', 'L', 1)}Z",
        line=_path(upper),
        seen=_path([(x(point.at), y(point.seen)) for point in points]),
        limit_y=y(limit),
        limit_words=f"limit {words.amount(limit, kind)}",
        limit_words_y=_beside(y(limit), below=end_y < y(limit), top=top, bottom=bottom),
        end_x=end_x,
        end_y=end_y,
        end_words=words.bound(points[-1].bound, direction, kind),
        end_words_y=_beside(end_y, below=0 <= end_y - y(limit) < _ROOM_FOR_TWO, top=top, bottom=bottom),
    )  # fmt: skip


def _beside(place: float, *, below: bool, top: int, bottom: int) -> float:
    """A label above or below its line, inside the drawing."""
    wanted = place + 18 if below else place - 9
    return min(max(wanted, top + 10), bottom - 6)


def _range(points: Sequence[Point], limit: float, direction: str) -> tuple[float, float, float]:
    """From zero, or up to one, far enough to show the limit and how the bound came to where it is."""
    later = points[len(points) // 3 :]
    if direction == "at_least":
        lowest = min([limit, *(point.bound for point in later)])
        room = min(max((1 - lowest) * 1.25, 0.02), 1.0)
        step = step_for(room)
        return max(1 - math.ceil(room / step) * step, 0.0), 1.0, step
    highest = max([limit, *(point.bound for point in later)])
    room = min(max(highest * 1.25, 0.004), 1.0)
    step = step_for(room)
    return 0.0, min(math.ceil(room / step) * step, 1.0), step


def step_for(room: float) -> float:
    """From one line of a scale to the next."""
    return next((step for step in _STEPS if room / step <= 6), 0.5)  # noqa: PLR2004 - six lines are enough


def _levels(low: float, high: float, step: float) -> list[float]:
    return [low + step * index for index in range(round((high - low) / step) + 1)]


def _dates(begin: datetime, end: datetime, most: int, x: Callable[[datetime], float]) -> list[Tick]:
    days = max((end - begin).days, 1)
    every = max(-(-days // most), 1)
    ticks = []
    for index in range(0, days + 1, every):
        at = begin + timedelta(days=index)
        anchor = "start" if index == 0 else "end" if index + every > days else "middle"
        ticks.append(Tick(x(at) if at <= end else x(end), f"{at.day} {at:%b}", anchor))
    return ticks


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{x} {y}" for x, y in points)


def spark(points: Sequence[Point], limit: float, direction: str) -> Spark | None:
    """The course in the list of agents: the bound and its limit."""
    if len(points) < 2:  # noqa: PLR2004
        return None
    low, high, _ = _range(points, limit, direction)
    begin, span = points[0].at, max((points[-1].at - points[0].at).total_seconds(), 1.0)

    def y(value: float) -> float:
        return round(33 - (min(max(value, low), high) - low) / (high - low) * 30, 1)

    line = [(round(2 + (p.at - begin).total_seconds() / span * 168, 1), y(p.bound)) for p in points]
    return Spark(_path(line), y(limit), *line[-1])


@dataclass(frozen=True, slots=True)
class Bar:
    """The range of one segment on a common scale of 160 units."""

    start: float
    end: float
    point: float
    limit: float


def bar(bound: float, other: float, seen: float, limit: float, scale: tuple[float, float]) -> Bar:
    low, high = scale

    def place(value: float) -> float:
        return round(2 + (min(max(value, low), high) - low) / (high - low) * 156, 1)

    ends = sorted((place(bound), place(other)))
    return Bar(ends[0], ends[1], place(seen), place(limit))


def segment_scale(limit: float, direction: str) -> tuple[float, float]:
    if direction == "at_least":
        return max(1 - (1 - limit) * 3, 0.0), 1.0
    return 0.0, min(limit * 3, 1.0)
