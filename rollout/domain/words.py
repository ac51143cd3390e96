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


def sure(confidence: float) -> str:
    """`95 % sure`; rounded down, as nobody is surer than that."""
    return f"{math.floor(confidence * 1000 + 1e-6) / 10:g}{NBSP}% sure"


def number(count: float) -> str:
    return f"{count:,.0f}"


def plural(count: int, one: str) -> str:
    return f"{count:,} {one if count == 1 else one + 's'}"


def day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def moment(at: datetime) -> str:
    """In UTC, which the sentence has to say: pages that know the reader's zone show the time itself."""
    return f"{at.day} {at:%b}, {at:%H:%M} UTC"
