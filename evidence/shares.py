"""
Says whether the traffic was really split as configured: the share of a ramp, of the audits, of a blind review.

A split that is off by a little is the first sign of a broken router, a lost message or a hand in the draw; and every
estimate that trusts the configured probability is then wrong, without any other number looking strange.

Sources: the chi-square test of fit (Pearson 1900); Lindon, Malek 2022, arXiv 2011.03567, for every look.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import scipy
from scipy import special

from evidence.binomial import checked_amount, checked_rate, checked_share, checked_whole

THRESHOLD = 0.001
"""A p-value below this is a mismatch: strict, for it is looked at for every split there is."""

LEAST_PER_ARM = 8
"""Cases per arm below which the chi-square approximation is not asked."""

LEAST_EXPECTED = 5.0
"""
Cases that the smallest arm must be expected to have before `check_split` says anything: with a share of 1 % and 16
cases the chi-square approximation raises eleven times as many false alarms as it should.
"""

_PRIOR_CASES = 100.0
"""How firmly the mixture of `log_e_mismatch` expects the configured shares: as if so many cases had been seen."""


class Health(StrEnum):
    """What can be said about a split."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    NOT_ENOUGH_TRAFFIC = "not-enough-traffic"


class Split(NamedTuple):
    """How a split turned out. `strays` are cases in arms that should have had none: one is too many."""

    health: Health
    p_value: float
    cases: int
    strays: int


def mismatch_p_value(counts: Sequence[int], weights: Sequence[float]) -> float:
    """
    The chance of counts at least so far from the configured weights (chi-square), for one look; small is bad.

    Weights need not add up to 1. Arms of weight zero are left out, with their cases (`check_split` counts them), and
    so are weights at the end that have no count, whose arm has not begun. 1 where nothing is left to compare.
    """
    pairs = [(count, weight) for count, weight in _arms(counts, weights) if weight > 0.0]
    cases, whole = sum(count for count, _ in pairs), sum(weight for _, weight in pairs)
    if not cases or len(pairs) < 2:  # noqa: PLR2004 - one arm has it all
        return 1.0
    expected = [cases * (weight / whole) for _, weight in pairs]
    distance = math.fsum((count - mean) ** 2 / mean for (count, _), mean in zip(pairs, expected, strict=True))
    return float(scipy.stats.chi2.sf(distance, len(pairs) - 1))


def log_e_mismatch(counts: Sequence[int], weights: Sequence[float]) -> float:
    """
    Log e-value against "the cases fall as configured", good for a look at every case; 0 when nothing was seen.

    The multinomial likelihood, mixed over a Dirichlet around the weights, to that of the weights. Minus it is the log
    of a p-value that may be watched all day. Infinite as soon as an arm of weight zero has a case.
    """
    pairs = _arms(counts, weights)
    if any(count for count, weight in pairs if not weight):
        return math.inf
    live = [(count, weight) for count, weight in pairs if weight > 0.0]
    seen = np.array([count for count, _ in live], dtype=np.float64)
    shares = np.array([weight for _, weight in live]) / math.fsum(weight for _, weight in live)
    prior = _PRIOR_CASES * shares
    mixed = np.sum(special.gammaln(prior + seen) - special.gammaln(prior))
    size = special.gammaln(_PRIOR_CASES) - special.gammaln(_PRIOR_CASES + seen.sum())
    return float(mixed + size - np.sum(seen * np.log(shares)))


def judge_mismatch(
    p_value: float, cases: int, arms: int, *, threshold: float = THRESHOLD, least_per_arm: int = LEAST_PER_ARM
) -> Health:
    """Unhealthy when the p-value lies strictly below the threshold, given at least so many cases per arm on average."""
    p_value = checked_share(p_value, "p_value")
    threshold = checked_rate(threshold, "threshold")
    cases, arms = checked_whole(cases, "cases"), checked_whole(arms, "arms")
    if not cases or cases < arms * checked_whole(least_per_arm, "least_per_arm"):
        return Health.NOT_ENOUGH_TRAFFIC
    return Health.UNHEALTHY if p_value < threshold else Health.HEALTHY


def judge_repeats(repeated: int, cases: int, *, least_cases: int = 10, share: float = 0.01) -> Health:
    """Unhealthy when a `share` of the cases or more went down more than one arm."""
    repeated, cases = checked_whole(repeated, "repeated"), checked_whole(cases, "cases")
    if repeated > cases:
        raise ValueError(f"repeated must not exceed cases, but {repeated} > {cases}")
    share = checked_rate(share, "share")
    if not cases or cases < checked_whole(least_cases, "least_cases"):
        return Health.NOT_ENOUGH_TRAFFIC
    return Health.UNHEALTHY if repeated / cases >= share else Health.HEALTHY


def check_split(counts: Sequence[int], weights: Sequence[float], *, threshold: float = THRESHOLD) -> Split:
    """
    All of it for one split: a mismatch, or a single case where none belongs, is unhealthy.

    Not judged before the smallest arm may be expected to have `LEAST_EXPECTED` cases; strays are at once.
    """
    pairs = _arms(counts, weights)
    strays = sum(count for count, weight in pairs if not weight)
    live = [count for count, weight in pairs if weight > 0.0]
    p_value = mismatch_p_value(counts, weights)
    judged = judge_mismatch(p_value, sum(live), len(live), threshold=threshold)
    shares = [weight for _, weight in pairs if weight > 0.0]
    if shares and sum(live) * min(shares) < LEAST_EXPECTED * sum(shares):
        judged = Health.NOT_ENOUGH_TRAFFIC
    return Split(Health.UNHEALTHY if strays else judged, p_value, sum(live), strays)


def _arms(counts: Sequence[int], weights: Sequence[float]) -> list[tuple[int, float]]:
    if len(counts) > len(weights):
        raise ValueError(f"weights must name a share for each of the {len(counts)} counts, not for {len(weights)}")
    shares = [checked_amount(weight, f"weights[{arm}]") for arm, weight in enumerate(weights)]
    if not any(shares):
        raise ValueError(f"weights must not all be zero, but are {tuple(weights)!r}")
    return [
        (checked_whole(count, f"counts[{arm}]"), share)
        for arm, (count, share) in enumerate(zip(counts, shares, strict=False))
    ]
