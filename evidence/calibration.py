"""
Turns what an agent says into the share of right outputs that goes with it: for display, costs and audit strata.

Never for the guarantee. Both maps leave the order of the confidences as it is, so a threshold found on calibrated
confidences accepts the same cases as one found on the raw ones; what they add is that "0.9" may then be read as
"about 90 in 100". Fit on labels of one version of one agent, and judge the result on others (`reliability`).

Sources: Platt (1999), Advances in Large Margin Classifiers (the map, and the targets where classes do not overlap);
Zadrozny, Elkan (2002), KDD (isotonic regression); Niculescu-Mizil, Caruana (2005), ICML (isotonic from about 1,000
labels, Platt below).
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import scipy
from numpy.typing import ArrayLike
from scipy import special

from evidence import logistic
from evidence.binomial import checked_share
from evidence.logistic import Bools, Floats, checked_confidences, checked_verdicts

CLIP = 1e-6
"""Confidences of exactly 0 and 1 have no logit; they count as this much away from the edge."""

ISOTONIC_FROM = 1_000
"""Labels from which the free form is worth its noise."""

FEWEST_LABELS = 10
"""Below this many labels there is no map that is worth being drawn."""


@dataclass(frozen=True, slots=True)
class PlattCalibrator:
    """
    Share right = 1 / (1 + exp(-(`slope` * logit(confidence) + `intercept`))), with confidences clipped by `clip`.

    `smoothed` says that the confidences told right from wrong without exception, so that no finite slope fits
    best, and the fit was made to Platt's targets (r + 1)/(r + 2) and 1/(w + 2) for r right and w wrong labels.
    """

    slope: float
    intercept: float
    clip: float
    labels: int
    smoothed: bool = False

    def apply(self, confidences: ArrayLike) -> Floats:
        """The share of right outputs for each confidence; shape (cases,) in and out, in [0, 1]."""
        logits = _logits(checked_confidences(confidences), self.clip)
        return np.asarray(special.expit(self.slope * logits + self.intercept), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class IsotonicCalibrator:
    """
    A never falling line through (`confidences`, `rates`), straight in between, level outside.

    Its ends may be exactly 0 or 1, which is what a group of labels without exception looks like and not a promise:
    show it with the band of the diagram. Both have the same length; confidences ascend.
    """

    confidences: tuple[float, ...]
    rates: tuple[float, ...]
    labels: int

    def apply(self, confidences: ArrayLike) -> Floats:
        """The share of right outputs for each confidence; shape (cases,) in and out, in [0, 1]."""
        return np.interp(checked_confidences(confidences), self.confidences, self.rates)


Calibrator: TypeAlias = PlattCalibrator | IsotonicCalibrator


class Calibration(NamedTuple):
    """A fitted calibrator, or none; `reason` says why it is this one, or why none can be had."""

    calibrator: Calibrator | None
    reason: str


def calibrate(confidences: ArrayLike, correct: ArrayLike) -> Calibration:
    """
    The calibrator to show for these labels: Platt's below `ISOTONIC_FROM` of them, isotonic regression from there on.

    None when there are fewer than `FEWEST_LABELS`, when all are right or all wrong, when all share one confidence,
    or when a higher confidence does not go with more right outputs: a map that turns the scale round would hide
    that this confidence says nothing.
    """
    values, right = _checked(confidences, correct)
    labels = len(values)
    if labels < FEWEST_LABELS:
        return Calibration(None, f"{labels} labels are too few to draw a line through: {FEWEST_LABELS - labels} more")
    platt = fit_platt(values, right)
    if not isinstance(platt.calibrator, PlattCalibrator):
        return platt
    if platt.calibrator.slope <= 0.0:
        told = f"slope {platt.calibrator.slope:.3g} over {labels} labels"
        return Calibration(None, f"a higher confidence does not go with more right outputs here ({told})")
    return platt if labels < ISOTONIC_FROM else fit_isotonic(values, right)


def fit_platt(confidences: ArrayLike, correct: ArrayLike, *, clip: float = CLIP) -> Calibration:
    """
    Platt's map on the logit, by maximum likelihood; the slope may be negative, where `calibrate` refuses.

    Shapes (labels,). None when all labels are right, or all wrong, or all confidences the same after clipping.
    """
    values, right = _checked(confidences, correct)
    if not 0.0 < checked_share(clip, "clip") < 0.5:  # noqa: PLR2004 - at a half all confidences are one
        raise ValueError(f"clip must lie strictly between 0 and 0.5, not {clip!r}")
    if lacking := _one_sided(right):
        return Calibration(None, lacking)
    logits = _logits(values, clip)
    if logits.min() == logits.max():
        return Calibration(None, f"all {len(values)} labels share the confidence {float(values[0]):g}")
    apart = _apart(logits, right)
    slope, intercept = _line(logits, _smooth_targets(right) if apart else right.astype(np.float64))
    found = PlattCalibrator(slope, intercept, float(clip), len(values), smoothed=apart)
    how = "no case is an exception, so towards Platt's targets" if apart else "by maximum likelihood"
    return Calibration(found, f"Platt's map on the logit for {len(values)} labels, {how}")


def fit_isotonic(confidences: ArrayLike, correct: ArrayLike) -> Calibration:
    """
    The never falling map that is nearest to the labels in squares; cases of one confidence count as one group.

    Shapes (labels,). Straight lines join the groups. None when all labels are right or all wrong.
    """
    values, right = _checked(confidences, correct)
    if lacking := _one_sided(right):
        return Calibration(None, lacking)
    groups, group_of, sizes = np.unique(values, return_inverse=True, return_counts=True)
    rates = np.bincount(group_of, weights=right, minlength=len(groups)) / sizes
    fitted = np.clip(scipy.optimize.isotonic_regression(rates, weights=sizes).x, 0.0, 1.0)
    bends = np.ones(len(groups), dtype=np.bool_)  # within a level stretch only its two ends are needed
    bends[1:-1] = (fitted[1:-1] != fitted[:-2]) | (fitted[1:-1] != fitted[2:])
    knots, shares = groups[bends].tolist(), fitted[bends].tolist()
    found = IsotonicCalibrator(tuple(knots), tuple(shares), len(values))
    return Calibration(found, f"isotonic regression for {len(values)} labels, {len(knots)} points")


def _line(logits: Floats, target: Floats) -> tuple[float, float]:
    """Slope and intercept; fitted to standardised logits, which keeps the steps of Newton's method well scaled."""
    centre, spread = float(logits.mean()), float(logits.std())
    design = np.column_stack([(logits - centre) / spread, np.ones(len(logits))])
    steep, level = logistic.fit(design, target, np.zeros(2)).tolist()
    return steep / spread, level - steep * centre / spread


def _apart(logits: Floats, right: Bools) -> bool:
    """Whether one cut parts right from wrong, ties at the cut allowed: then the likelihood has no maximum."""
    good, bad = logits[right], logits[~right]
    return bool(bad.max() <= good.min() or good.max() <= bad.min())


def _smooth_targets(right: Bools) -> Floats:
    good = int(right.sum())
    bad = len(right) - good
    return np.where(right, (good + 1.0) / (good + 2.0), 1.0 / (bad + 2.0))


def _one_sided(right: Bools) -> str | None:
    if not len(right):
        return "no cases with a verdict"
    if right.all() or not right.any():
        return f"all {len(right)} labels are {'right' if right[0] else 'wrong'}: nothing tells one case from another"
    return None


def _logits(values: Floats, clip: float) -> Floats:
    return np.asarray(special.logit(np.clip(values, clip, 1.0 - clip)), dtype=np.float64)


def _checked(confidences: ArrayLike, correct: ArrayLike) -> tuple[Floats, Bools]:
    values = checked_confidences(confidences)
    return values, checked_verdicts(correct, len(values))
