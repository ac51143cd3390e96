"""
How often an agent and a person are wrong where both did the same cases apart from each other, from a sample that looks
more often where they differ.

A case is looked at with one probability where the two differ and with another where they say the same. So neither share
of the judged cases says anything by itself: the share of all cases is put together from three, how many differ and how
many are wrong of either kind. Each has its exact interval, and the doubt is divided among them, so the bounds hold with
the stated confidence whatever the three really are.
"""

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from evidence import binomial


class Stratum(NamedTuple):
    """
    One kind of case: drawn with this probability, so often; of those `judged`, with so many wrong. `unknown`: what
    nobody judged in time; it may be either. What still waits is `drawn` alone.
    """

    probability: float
    drawn: int
    judged: int
    wrong: int
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Rate:
    """`share` of all cases; None where one of the kinds has cases and none was judged."""

    share: float | None
    lower: float
    upper: float


def error_rate(differing: Stratum, same: Stratum, confidence: float = 0.95) -> Rate:
    """Of all cases, of both kinds; with two-sided bounds."""
    each = 1.0 - (1.0 - confidence) / 3.0
    differ = _share_differing(differing, same, each)
    wrong = [_wrong(one, each) for one in (differing, same)]
    ends = [
        differ_at * of_differing + (1.0 - differ_at) * of_same
        for differ_at, of_differing, of_same in product(differ, *wrong)
    ]
    return Rate(_estimate(differing, same), min(ends), max(ends))


def _wrong(one: Stratum, confidence: float) -> tuple[float, float]:
    """Whichever way the unknown ones would have turned out."""
    whole = one.judged + one.unknown
    least = binomial.interval(one.wrong, whole, confidence).lower
    return least, binomial.interval(one.wrong + one.unknown, whole, confidence).upper


def _share_differing(differing: Stratum, same: Stratum, confidence: float) -> tuple[float, float]:
    """
    Of the drawn cases, how many differ is binomial, with the odds of all cases times those of the two probabilities.
    A kind that is never drawn may be all there is.
    """
    if differing.probability <= 0.0 or same.probability <= 0.0:
        return (0.0, 1.0)
    drawn = binomial.interval(differing.drawn, differing.drawn + same.drawn, confidence)
    return _of_all(drawn.lower, differing, same), _of_all(drawn.upper, differing, same)


def _of_all(of_drawn: float, differing: Stratum, same: Stratum) -> float:
    differ, alike = of_drawn / differing.probability, (1.0 - of_drawn) / same.probability
    return differ / (differ + alike)


def _estimate(differing: Stratum, same: Stratum) -> float | None:
    if min(differing.probability, same.probability) <= 0.0 or not differing.drawn + same.drawn:
        return None
    differ = _of_all(differing.drawn / (differing.drawn + same.drawn), differing, same)
    found = 0.0
    for part, one in ((differ, differing), (1.0 - differ, same)):
        if one.drawn and not one.judged:
            return None
        found += part * one.wrong / one.judged if one.judged else 0.0
    return found
