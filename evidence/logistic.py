"""
Logistic regression with a ridge, by Newton's method: what calibration and the combination of signals both rest on.

Also the one way in for confidences and verdicts, so that nonsense is refused in one place and in the same words.

Source: McCullagh, Nelder (1989), Generalized Linear Models, ch. 4 (iteratively reweighted least squares).
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]

_MOST_STEPS = 200
_SETTLED = 1e-13
"""Newton's decrement per case below which a further step would change nothing that a float can hold."""


def fit(design: Floats, target: Floats, penalty: Floats) -> Floats:
    """
    The coefficients that minimise `-log likelihood + sum(penalty * coefficient^2) / 2`.

    `design` has shape (cases, coefficients), a column of ones included where an intercept is wanted; `target` holds
    the chance of a right output per case, in [0, 1]; `penalty` one weight per coefficient, 0 for none. The caller
    sees to it that a minimum exists: a penalty on every slope, or classes that overlap. Where there is none, the
    coefficients are finite, large and worthless.
    """
    coefficients = np.zeros(design.shape[1])
    loss = _loss(design, target, penalty, coefficients)
    for _ in range(_MOST_STEPS):
        chance = special.expit(design @ coefficients)
        slope = design.T @ (chance - target) + penalty * coefficients
        curvature = (design * (chance * (1.0 - chance))[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.lstsq(curvature, slope, rcond=None)[0]
        if float(slope @ step) <= _SETTLED * len(target):
            break
        while (tried := _loss(design, target, penalty, coefficients - step)) > loss:
            step /= 2.0  # far from the minimum a whole step may overshoot; a step lost in rounding ends this
        coefficients, loss = coefficients - step, tried
    return coefficients


def checked_confidences(confidences: ArrayLike, name: str = "confidences") -> Floats:
    """One-dimensional floats in [0, 1]. Raises ValueError naming the first that is not; missing ones are not passed."""
    values = checked_numbers(confidences, name)
    outside = np.flatnonzero((values < 0.0) | (values > 1.0))
    if len(outside):
        place = int(outside[0])
        raise ValueError(f"{name}[{place}] must lie between 0 and 1, not {float(values[place])!r}")
    return values


def checked_numbers(numbers: ArrayLike, name: str) -> Floats:
    """One-dimensional finite floats; text that looks like a number is none."""
    given = np.asarray(numbers)
    if given.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, not of shape {given.shape}")
    if given.size and given.dtype.kind not in "iuf":
        raise ValueError(f"{name} must be numbers, not {given.dtype}")
    values = given.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise ValueError(f"{name}[{int(bad[0])}] must be a finite number, not {float(values[bad[0]])!r}")
    return values


def checked_verdicts(correct: ArrayLike, cases: int, name: str = "correct") -> Bools:
    """Right or wrong per case, as booleans or 0 and 1; as many as there are cases."""
    given = np.asarray(correct)
    if given.shape != (cases,):
        raise ValueError(f"{name} must hold one verdict for each of {cases} cases, not be of shape {given.shape}")
    if given.size and given.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be true or false, not {given.dtype}")
    bad = np.flatnonzero((given != 0) & (given != 1))  # NaN lands here too
    if len(bad):
        raise ValueError(f"{name}[{int(bad[0])}] must be 0 or 1, not {given[bad[0]].item()!r}")
    return given.astype(np.bool_)


def _loss(design: Floats, target: Floats, penalty: Floats, coefficients: Floats) -> float:
    score = design @ coefficients
    unexplained = float(np.sum(np.logaddexp(0.0, score) - target * score))
    return unexplained + float(penalty @ coefficients**2) / 2.0
