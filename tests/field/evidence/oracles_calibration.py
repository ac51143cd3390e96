"""
Procedures that the product does not use, to check the published numbers about them: for comparison only.

Beta calibration (Kull, Silva Filho, Flach 2017), Venn-Abers predictors (Vovk, Petej 2012) and prediction-powered
means (Angelopoulos et al. 2023).
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from evidence import logistic
from evidence.calibration import fit_isotonic

Floats = NDArray[np.float64]

_EDGE = float(np.finfo(np.float64).eps)


def beta_calibrated(confidence: Sequence[float], correct: Sequence[int], query: Sequence[float]) -> Floats:
    """logit(share) = a log(c) - b log(1 - c) + m; a column whose coefficient would be negative is left out."""
    columns, right = _beta_columns(confidence), np.asarray(correct, dtype=np.float64)
    used = [0, 1]
    while True:
        design = np.column_stack([columns[:, used], np.ones(len(right))])
        found = logistic.fit(design, right, np.full(len(used) + 1, 1e-9))
        negative = [column for column, slope in zip(used, found, strict=False) if slope < 0]
        if not negative:
            break
        used.remove(negative[0])
    asked = np.column_stack([_beta_columns(query)[:, used], np.ones(len(query))])
    return np.asarray(special.expit(asked @ found))


def _beta_columns(confidence: Sequence[float]) -> Floats:
    held = np.clip(np.asarray(confidence, dtype=np.float64), _EDGE, 1.0 - _EDGE)
    return np.column_stack([np.log(held), -np.log1p(-held)])


def venn_abers(
    confidence: Sequence[float], correct: Sequence[int], query: Sequence[float]
) -> tuple[list[tuple[float, float]], list[float]]:
    """For each query what isotonic regression says there if the query were wrong, if it were right, and both in one."""
    pairs = [tuple(_isotonic_with(confidence, correct, asked, verdict) for verdict in (0, 1)) for asked in query]
    return [(wrong, right) for wrong, right in pairs], [right / (1.0 - wrong + right) for wrong, right in pairs]


def _isotonic_with(confidence: Sequence[float], correct: Sequence[int], asked: float, verdict: int) -> float:
    calibrator = fit_isotonic([*confidence, asked], [*correct, verdict]).calibrator
    assert calibrator is not None
    return float(calibrator.apply([asked])[0])


def ppi_mean(inputs: dict[str, Any]) -> tuple[float, tuple[float, float]]:
    """The prediction-powered mean with its two-sided normal interval; `lam` None takes the best weight in [0, 1]."""
    truth, said, elsewhere = (np.array(inputs[name]) for name in ("Y", "Yhat", "Yhat_unlabeled"))
    here, there = len(truth), len(elsewhere)
    weight = inputs["lam"]
    if weight is None:
        together = float(np.sum((truth - truth.mean()) * (said - said.mean()))) / here
        spread = float(np.var(np.concatenate([said, elsewhere])))
        weight = min(max(together / ((1 + here / there) * spread), 0.0), 1.0)
    point = weight * float(elsewhere.mean()) + float(np.mean(truth - weight * said))
    error = math.sqrt(weight**2 * float(np.var(elsewhere)) / there + float(np.var(truth - weight * said)) / here)
    reach = float(special.ndtri(1 - inputs["alpha"] / 2)) * error
    return point, (point - reach, point + reach)
