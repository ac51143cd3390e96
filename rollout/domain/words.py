"""
Figures as owners read them: bounds rounded to the careful side, never a probability or the name of a method.

An upper bound is rounded up and a lower one down, so that what is shown is never more than what is known.
"""

import math
from datetime import date, datetime
from typing import Final

NBSP: Final = "\u00a0"  # between a number and its unit, so that a line never breaks there


def percent(share: float) -> str:
    """A limit as its author wrote it: `4 %`, `0.5 %`."""
    return f"{share * 100:.6g}{NBSP}%"


def at_most(share: float) -> str:
    """An upper bound, one decimal, rounded up."""
    return f"{math.ceil(min(share, 1.0) * 1000 - 1e-9) / 10:.1f}{NBSP}%"


def at_least(share: float) -> str:
    """A lower bound, one decimal, rounded down."""
    return f"{math.floor(max(share, 0.0) * 1000 + 1e-9) / 10:.1f}{NBSP}%"


def seen(share: float) -> str:
    return f"{share * 100:.1f}{NBSP}%"


def loss(limit: float) -> str:
    """A mean loss as its author wrote it: `0.05`."""
    return f"{limit:.6g}"


def loss_at_most(mean: float) -> str:
    """An upper bound of a mean loss, three decimals, rounded up."""
    return f"{math.ceil(min(mean, 1.0) * 1000 - 1e-9) / 1000:.3f}"


def loss_at_least(mean: float) -> str:
    """A lower bound of a mean loss, three decimals, rounded down."""
    return f"{math.floor(max(mean, 0.0) * 1000 + 1e-9) / 1000:.3f}"


def loss_seen(mean: float) -> str:
    return f"{mean:.3f}"


def sure(confidence: float) -> str:
    """`95 % sure`; rounded down, as nobody is surer than that."""
    return f"{math.floor(confidence * 1000 + 1e-6) / 10:g}{NBSP}% sure"


def number(count: float) -> str:
    return f"{count:,.0f}"


def segment(name: str | None) -> str:
    return f"segment {name}" if name else "cases without a segment"


def closed_since(name: str, since: date) -> str:
    said = segment(name)
    are, them = ("is", "it") if name else ("are", "them")
    opens = f"The owner may open {them} again."
    return f"{said[0].upper()}{said[1:]} {are} closed since {day(since)}: people do {them}. {opens}"


def plural(count: int, one: str) -> str:
    return f"{count:,} {one if count == 1 else one + 's'}"


def day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def moment(at: datetime) -> str:
    """In UTC, which the sentence has to say: pages that know the reader's zone show the time itself."""
    return f"{at.day} {at:%b}, {at:%H:%M} UTC"
