"""
Says how well a confidence tells the share of right outputs: the reliability diagram and its scores.

All of it is for people to look at. A threshold needs only that a higher confidence goes with fewer errors, so
nothing is decided by these numbers. A calibration error depends on its bins, hence every one states them, and with
few cases even a perfect agent shows one: some points in a hundred at 300 cases. Judge a fitted calibrator on cases
that it was not fitted on.

Sources: Murphy, Winkler (1977), Applied Statistics 26 (diagram); Naeini et al. (2015), AAAI (equal width); Nixon et
al. (2019), arXiv 1904.01685 (equal mass); Brier (1950), Monthly Weather Review 78.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evidence.binomial import Interval, checked_rate, checked_whole, interval
from evidence.logistic import Bools, Floats, checked_confidences, checked_verdicts

Ints: TypeAlias = NDArray[np.int64]

BINS = 15
"""The usual number of bins, for both kinds; say so beside the number where it is shown."""

_MOST_BINS = 1_000


class Figure(NamedTuple):
    """A number, or none and why."""

    value: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Bin:
    """
    The cases with a confidence in (`low`, `high`], the first bin with its lower edge; ready to be drawn.

    `band` holds the true share of right outputs of this bin with the stated confidence, each bin for itself; it is
    the whole of [0, 1] for a bin without cases, whose `mean_confidence` and `rate` are None.
    """

    low: float
    high: float
    cases: int
    right: int
    mean_confidence: float | None
    rate: float | None
    band: Interval


@dataclass(frozen=True, slots=True)
class Reliability:
    """Everything a reliability diagram shows; `confidence` is that of the bands."""

    cases: int
    right: int
    confidence: float
    equal_width: tuple[Bin, ...]
    equal_mass: tuple[Bin, ...]
    calibration_error: Figure
    adaptive_error: Figure
    brier: Figure


def reliability(
    confidences: ArrayLike, correct: ArrayLike, *, bins: int = BINS, confidence: float = 0.95
) -> Reliability:
    """The diagram in both kinds of bins, with its scores. Shapes (cases,); confidences in [0, 1], verdicts 0 or 1."""
    values, right = _checked(confidences, correct)
    wide = equal_width_bins(values, right, bins, confidence=confidence)
    heavy = equal_mass_bins(values, right, bins, confidence=confidence)
    return Reliability(
        cases=len(values),
        right=int(right.sum()),
        confidence=float(confidence),
        equal_width=wide,
        equal_mass=heavy,
        calibration_error=_error(wide),
        adaptive_error=_error(heavy),
        brier=brier(values, right),
    )


def equal_width_bins(
    confidences: ArrayLike, correct: ArrayLike, bins: int = BINS, *, confidence: float = 0.95
) -> tuple[Bin, ...]:
    """
    `bins` bins of the same width over [0, 1], right-closed: .2 lies in the bin that ends there, 0 in the first.

    All of them are returned, those without cases too.
    """
    values, right = _checked(confidences, correct)
    count = _bins(bins)
    edges = np.arange(count + 1) / count  # not linspace: 3 of 15 must be the same float as .2
    bin_of = np.maximum(np.searchsorted(edges, values, side="left") - 1, 0)
    return _binned(values, right, bin_of.astype(np.int64), edges, confidence)


def equal_mass_bins(
    confidences: ArrayLike, correct: ArrayLike, bins: int = BINS, *, confidence: float = 0.95
) -> tuple[Bin, ...]:
    """
    At most `bins` bins with as even a number of cases as equal confidences allow; empty without cases.

    Cases of one confidence stay together, for else the result would depend on the order in which they came; an
    agent that always says .9 has one bin. The edges are the largest confidence of each bin.
    """
    values, right = _checked(confidences, correct)
    count, cases = _bins(bins), len(values)
    if cases == 0:
        return ()
    ordered = np.sort(values)
    share, left_over = divmod(cases, count)  # the first bins take one case more
    ends = np.cumsum(np.full(count, share) + (np.arange(count) < left_over))
    highest = np.unique(ordered[ends[ends > 0] - 1])
    edges = np.concatenate([ordered[:1], highest])
    bin_of = np.searchsorted(highest, values, side="left")
    return _binned(values, right, bin_of.astype(np.int64), edges, confidence)


def expected_calibration_error(confidences: ArrayLike, correct: ArrayLike, bins: int = BINS) -> Figure:
    """The mean gap between confidence and share of right outputs over equal-width bins, weighted by their cases."""
    return _error(equal_width_bins(confidences, correct, bins))


def adaptive_calibration_error(confidences: ArrayLike, correct: ArrayLike, bins: int = BINS) -> Figure:
    """The same over equal-mass bins."""
    return _error(equal_mass_bins(confidences, correct, bins))


def brier(confidences: ArrayLike, correct: ArrayLike) -> Figure:
    """The mean squared distance between the confidence and what happened; 0 is a prophet, .25 says .5 to all."""
    values, right = _checked(confidences, correct)
    if not len(values):
        return Figure(None, "no cases with a verdict")
    return Figure(float(np.mean((values - right) ** 2)))


def _binned(values: Floats, right: Bools, bin_of: Ints, edges: Floats, confidence: float) -> tuple[Bin, ...]:
    level, count = checked_rate(confidence, "confidence"), len(edges) - 1
    cases = np.bincount(bin_of, minlength=count)
    good = np.bincount(bin_of[right], minlength=count)
    total = np.bincount(bin_of, weights=values, minlength=count)
    return tuple(
        Bin(
            low=float(edges[i]),
            high=float(edges[i + 1]),
            cases=int(cases[i]),
            right=int(good[i]),
            mean_confidence=float(total[i] / cases[i]) if cases[i] else None,
            rate=float(good[i] / cases[i]) if cases[i] else None,
            band=interval(int(good[i]), int(cases[i]), level),
        )
        for i in range(count)
    )


def _error(bins: tuple[Bin, ...]) -> Figure:
    cases = sum(found.cases for found in bins)
    if not cases:
        return Figure(None, "no cases with a verdict")
    gaps = (
        found.cases * abs(found.mean_confidence - found.rate)
        for found in bins
        if found.mean_confidence is not None and found.rate is not None
    )
    return Figure(sum(gaps) / cases)


def _checked(confidences: ArrayLike, correct: ArrayLike) -> tuple[Floats, Bools]:
    values = checked_confidences(confidences)
    return values, checked_verdicts(correct, len(values))


def _bins(bins: int) -> int:
    count = checked_whole(bins, "bins")
    if not 1 <= count <= _MOST_BINS:
        raise ValueError(f"bins must be between 1 and {_MOST_BINS}, not {count}")
    return count
