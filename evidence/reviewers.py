"""
Corrects a gate for reviewers who overlook errors, or object to what was right: measured on cases with a known answer.

An agent that is wrong at rate p is overridden at rate p * se + (1 - p) * (1 - sp), where se is the share of errors
that reviewers catch (sensitivity) and sp the share of right outputs that they confirm (specificity). So "wrong at
most at `limit`" is shown when the *observed* rate is below

    limit * se_low + (1 - limit) * (1 - sp_high),

with se_low a lower bound of the sensitivity and sp_high an upper bound of the specificity, 1 where nobody measured it.
It also holds for reviewers worse than a coin, as long as se_low + sp_high > 1: then even an agent that is always wrong
is overridden at se >= se_low, which is above the corrected limit. Otherwise nothing can be said, and the gate is shut.

What is assumed, and no count can show: that seeded errors are as hard to see as real ones, that they are dealt to the
same reviewers in the same shares as cases are, and that nobody can tell them from cases.
"""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

from evidence import binomial, sequences
from evidence.binomial import checked_counts, checked_rate, checked_share

ENOUGH_SEEDED: Final = 50
"""With fewer seeded errors a correction is given, and a warning with it."""


@dataclass(frozen=True, slots=True)
class Seeded:
    """What became of cases whose right answer was known beforehand: `caught` of `errors`, `confirmed` of `right`."""

    caught: int
    errors: int
    confirmed: int = 0
    right: int = 0

    def __post_init__(self) -> None:
        _named("caught", "errors", self.caught, self.errors)
        _named("confirmed", "right", self.confirmed, self.right)


@dataclass(frozen=True, slots=True)
class CorrectedLimit:
    """
    What to hold the observed rate against, and at which confidence, to show that the true rate is below the limit.

    `limit` is `None` where no correction is possible: the gate stays shut. `few` warns of too few seeded errors.
    `held` is the confidence of the whole: of the gate and of both bounds together.
    """

    limit: float | None
    gate_confidence: float
    sensitivity_low: float
    specificity_high: float
    held: float
    few: bool

    @property
    def identifiable(self) -> bool:
        return self.limit is not None


class Explained(NamedTuple):
    """The rate of wrong outputs that explains how many were overridden; `rate` is None where nothing is known of it."""

    rate: float | None
    lower: float
    upper: float


def corrected_limit(
    limit: float,
    seeded: Seeded,
    confidence: float = 0.95,
    *,
    bound_confidence: float | None = None,
    one_look: bool = False,
) -> CorrectedLimit:
    """
    The limit for the observed rate that stands for `limit` on the true one.

    The doubt delta = 1 - `confidence` is shared: half to the gate, half to the bounds in use, so that the whole holds
    with `confidence`. With `bound_confidence` (say 0.95) the bounds take that each, the gate all of `confidence`, and
    the doubts add up: `held` says to what. The bounds hold at every look, as seeded cases come in one by one beside
    the gate; with `one_look` they are the tighter exact ones, for a set of seeded cases fixed beforehand.
    """
    limit, delta = checked_rate(limit, "limit"), 1.0 - checked_rate(confidence, "confidence")
    used = 2 if seeded.right else 1
    if bound_confidence is None:
        gate_delta, bound_delta = delta / 2.0, delta / 2.0 / used
    else:
        gate_delta, bound_delta = delta, 1.0 - checked_rate(bound_confidence, "bound_confidence")
    bounds = binomial if one_look else sequences
    low = bounds.lower_bound(seeded.caught, seeded.errors, 1.0 - bound_delta)
    high = bounds.upper_bound(seeded.confirmed, seeded.right, 1.0 - bound_delta)
    return CorrectedLimit(
        limit=limit * low + (1.0 - limit) * (1.0 - high) if low + high > 1.0 else None,
        gate_confidence=1.0 - gate_delta,
        sensitivity_low=low,
        specificity_high=high,
        held=max(0.0, 1.0 - gate_delta - used * bound_delta),
        few=seeded.errors < ENOUGH_SEEDED,
    )


def shown_below(bad: int, cases: int, corrected: CorrectedLimit) -> bool:
    """
    Whether `bad` overrides of `cases` show that the true rate of errors is below the limit; never where it is shut.

    Judged by the upper bound, not by a stored e-value: the corrected limit moves as seeded cases come in, and the
    bound holds against all limits and at all looks together.
    """
    if corrected.limit is None:
        checked_counts(bad, cases)
        return False
    return sequences.upper_bound(bad, cases, corrected.gate_confidence) < corrected.limit


def estimated_rate(observed: float, sensitivity: float, specificity: float) -> float | None:
    """
    The true rate of errors that would explain an `observed` one, to show and not to decide by; within [0, 1].

    Rogan and Gladen 1978, American Journal of Epidemiology 107. `None` where reviewers tell nothing apart.
    """
    observed = checked_share(observed, "observed")
    sensitivity, specificity = checked_share(sensitivity, "sensitivity"), checked_share(specificity, "specificity")
    apart = sensitivity + specificity - 1.0
    if apart <= 0.0 or math.isclose(apart, 0.0, abs_tol=1e-12):
        return None
    return min(max((observed + specificity - 1.0) / apart, 0.0), 1.0)


def explained(bad: int, cases: int, seeded: Seeded, confidence: float = 0.95) -> Explained:
    """
    The true rate behind `bad` overrides of `cases`, by what reviewers made of seeded cases; to show, not to decide by.

    The doubt is shared among the three exact intervals, so that the bounds hold with `confidence` together. Where even
    the better corner tells nothing apart the bound is that of ignorance, 0 or 1.
    """
    checked_counts(bad, cases)
    each = 1.0 - (1.0 - checked_rate(confidence, "confidence")) / 3.0
    seen = binomial.interval(bad, cases, each)
    caught = binomial.interval(seeded.caught, seeded.errors, each)
    confirmed = binomial.interval(seeded.confirmed, seeded.right, each)
    rate = None
    if cases and seeded.errors and seeded.right:
        rate = estimated_rate(bad / cases, seeded.caught / seeded.errors, seeded.confirmed / seeded.right)
    lower = estimated_rate(seen.lower, caught.upper, confirmed.lower)
    upper = estimated_rate(seen.upper, caught.lower, confirmed.upper)
    return Explained(rate, 0.0 if lower is None else lower, 1.0 if upper is None else upper)


def _named(part: str, whole: str, count: int, total: int) -> None:
    try:
        checked_counts(count, total)
    except ValueError as wrong:
        raise ValueError(f"{part} of {whole}: {wrong}") from None
