"""
How many cases of the automated lane to audit, and which: planned before the period, so that it ends in a statement.

A uniform share makes the statement; targeted audits sharpen the estimate where errors are likely. Both are drawn by
coin, so the size of a sample is itself a matter of chance, and a rate that brings enough on average brings too few
in every other period.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from evidence.binomial import checked_rate, checked_whole, smallest_sample
from evidence.logistic import checked_confidences

Floats: TypeAlias = NDArray[np.float64]

BASE_RATE = 0.05
"""No lane is audited less than this."""

SMALLEST_PROBABILITY = 0.02
"""Below this one audited case would speak for more than fifty others, and a single error would swing the estimate."""

_LEAST_PULL = 1e-6
"""Of a class without any expected error: it still takes what the others, audited whole, leave over."""

SHARES = (0.50, 0.30, 0.15, 0.05)
"""Of the cases in the four classes of risk, from the safest half to the riskiest twentieth."""


def audits_needed(limit: float, delta: float = 0.05, bad: int = 0) -> int:
    """How many audits, at most `bad` of them bad, show a rate below `limit` at one look: 59, 149, 299 at 5, 2, 1 %."""
    return smallest_sample(bad, limit, delta)


def audit_rate(
    cases: int, limit: float, *, delta: float = 0.05, bad: int = 0, chance: float = 0.9, base: float = BASE_RATE
) -> float | None:
    """
    The uniform audit rate that brings `audits_needed` audits with probability `chance` among `cases` in a period.

    At least `base`. None when the period has fewer cases than are needed: then even auditing all of them, which is
    what the caller should do, cannot show the limit.
    """
    cases = checked_whole(cases, "cases")
    chance, base = checked_rate(chance, "chance"), checked_rate(base, "base")
    needed = audits_needed(limit, delta, bad)
    if cases < needed:
        return None
    return max(base, float(special.betaincinv(needed, cases - needed + 1, chance)))


def risk_edges(risks: ArrayLike, shares: Sequence[float] = SHARES) -> Floats:
    """
    The calibrated risks that part the cases into classes of the given `shares`, safest first; shape (classes - 1,).

    A case belongs to class `np.searchsorted(edges, risk, side="right")`. Where many cases share one risk an edge
    falls on it, and classes may be smaller than asked for, or empty. Raises ValueError for no cases, risks outside
    [0, 1] and shares that do not add up to 1.
    """
    risks, parts = checked_confidences(risks, "risks"), checked_confidences(shares, "shares")
    if not risks.size:
        raise ValueError("risks must be a list of at least one number between 0 and 1")
    if not parts.size or not np.all(parts > 0.0) or abs(float(parts.sum()) - 1.0) > 1e-9:  # noqa: PLR2004 - rounding
        raise ValueError(f"shares must be positive and add up to 1, not {tuple(shares)!r}")
    return np.asarray(np.quantile(risks, np.cumsum(parts)[:-1]))


def neyman_probabilities(
    cases: Sequence[int], risks: Sequence[float], audits: int, *, floor: float = SMALLEST_PROBABILITY
) -> Floats:
    """
    The audit probability of each class that makes the estimate sharpest for `audits` expected audits; shape (classes,).

    In proportion to sqrt(risk (1 - risk)) (Neyman; Cochran 5.5), but never below `floor` nor above 1; what these
    two give or take is shared out over the others. When the floor alone costs more than `audits`, the floor wins.
    """
    sizes = np.array([checked_whole(size, f"cases[{place}]") for place, size in enumerate(cases)], dtype=np.float64)
    rates = checked_confidences(risks, "risks")
    audits, floor = checked_whole(audits, "audits"), checked_rate(floor, "floor")
    if rates.shape != sizes.shape:
        raise ValueError("risks must hold one number between 0 and 1 for each class of cases")
    pull = np.maximum(np.sqrt(rates * (1.0 - rates)), _LEAST_PULL)

    def drawn(scale: float) -> Floats:
        return np.clip(scale * pull, floor, 1.0)

    low, high = 0.0, 1.0 / _LEAST_PULL
    for _ in range(200):  # bisection: the expected number of audits never falls with the scale
        middle = (low + high) / 2.0
        low, high = (middle, high) if float(np.sum(sizes * drawn(middle))) < audits else (low, middle)
    return drawn(high)
