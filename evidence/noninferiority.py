"""
Shows whether an agent is no worse than people when there is no gold answer, and people themselves disagree.

On each item that at least two people judged, everybody in turn is the reference: how often does the agent agree with
that person, and how often do the other people? The difference of the two, averaged over the references, is the item's
`difference`, between -1 and 1; below 0 where the agent agrees with people less than people do with each other. The
agent is shown to be no worse when the mean difference is above -margin, with a bound that may be looked at daily.

An agent cannot be shown to be better than its reference is: people who agree in error make it look wrong.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple, TypeVar

from evidence import betting
from evidence.binomial import checked_rate, checked_share

Answer = TypeVar("Answer")

_PEOPLE_NEEDED = 2


class Comparison(StrEnum):
    """What has been shown of an agent beside people."""

    NOT_WORSE = "not_worse"
    WORSE = "worse"
    NOT_SHOWN = "not_shown"
    NO_EVIDENCE = "no_evidence"


class Noninferiority(NamedTuple):
    """
    The agent's agreement with people minus that of people with each other: mean and bounds, in [-1, 1].

    Each bound holds by itself at all looks; `mean` is `None` and the bounds are -1 and 1 when no item counts.
    """

    comparison: Comparison
    items: int
    mean: float | None
    lower: float
    upper: float


def difference(
    agent: Answer, people: Sequence[Answer], agree: Callable[[Answer, Answer], float] | None = None
) -> float:
    """
    One item's difference, in [-1, 1]: agreement of the agent with a person minus that of another person, on average.

    `agree` scores two answers in [0, 1] and is symmetric; without it they agree when they are equal. Raises
    ValueError with fewer than two people: one person's answer says nothing of how much people differ.
    """
    if len(people) < _PEOPLE_NEEDED:
        raise ValueError(f"people must be at least {_PEOPLE_NEEDED} for an item, not {len(people)}")

    def scored(one: Answer, other: Answer) -> float:
        return checked_share((agree or _equal)(one, other), "the score that agree gives")

    with_agent = math.fsum(scored(agent, person) for person in people) / len(people)
    pairs = [
        scored(other, person)
        for place, person in enumerate(people)
        for elsewhere, other in enumerate(people)
        if place != elsewhere
    ]
    return with_agent - math.fsum(pairs) / len(pairs)


def compare(days: Sequence[Sequence[float]], margin: float, confidence: float = 0.95) -> Noninferiority:
    """
    Holds the differences of all items, day by day in order of time, against `margin`, in (0, 1), usually .02 to .05.

    NOT_WORSE when the lower bound is above -margin, WORSE when the upper bound is below it; each is wrong at any look
    ever with probability 1 - `confidence` at most. Within a day the order of the items does not matter.
    """
    margin = checked_rate(margin, "margin")
    cohorts = [
        Counter(_half(value, f"days[{place}][{item}]") for item, value in enumerate(day))
        for place, day in enumerate(days)
    ]
    mean = betting.mean_loss(cohorts)
    lower = 2.0 * betting.lower_bound(cohorts, confidence) - 1.0
    upper = 2.0 * betting.upper_bound(cohorts, confidence) - 1.0
    items = sum(cohort.total() for cohort in cohorts)
    return Noninferiority(
        comparison=_shown(lower, upper, margin) if items else Comparison.NO_EVIDENCE,
        items=items,
        mean=None if mean is None else 2.0 * mean - 1.0,
        lower=lower,
        upper=upper,
    )


def _shown(lower: float, upper: float, margin: float) -> Comparison:
    if lower > upper:  # the agent has changed on the way, and nothing holds for all of it
        return Comparison.NOT_SHOWN
    if lower > -margin:
        return Comparison.NOT_WORSE
    return Comparison.WORSE if upper < -margin else Comparison.NOT_SHOWN


def _equal(one: object, other: object) -> float:
    return float(one == other)


def _half(value: float, place: str) -> float:
    """A difference moved from [-1, 1] to [0, 1], where the betting takes place."""
    try:
        inside = bool(-1.0 <= value <= 1.0)
    except (TypeError, ValueError):
        inside = False
    if not inside:
        raise ValueError(f"{place} must lie between -1 and 1, not {value!r}")
    return (value + 1.0) / 2.0
