"""
Chooses between a combination of signals and the best of them alone, so that chance does not choose.

Both are judged on labels they were not fitted on, in folds that the caller fixes. What decides is the area under
the risk-coverage curve: the mean, over every share of cases that could be automated, of the share of wrong ones
among them. A threshold procedure sees nothing of a confidence but the order it puts cases in, and this area weighs
an error by how early in that order it comes: -log of the share of cases ranked at or above it. Log-loss is reported
beside it and does not decide, for it also rewards what is gained among cases that nobody would automate, and what
any recalibration would mend. The coverage at one target would ask the right question, but answers it with the
noise of a single point.

The combination is chosen when the lower bound of the paired difference, with its standard error from the influence
function, is above zero. The bound is approximate, and that is enough: a wrong choice here costs automation, never
the guarantee, which comes from a calibration on other labels.

Sources: Geifman, Uziel, El-Yaniv (2019), ICLR (the area); Zhou et al. (2024), arXiv 2410.15361 (its weights as a
population quantity); Hampel (1974), JASA 69 (influence function).
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from evidence.binomial import checked_rate, checked_whole
from evidence.logistic import Bools, Floats, checked_numbers, checked_verdicts
from evidence.signals import PENALTY, Column, Columns, CombinedConfidence, Obstacle, Signal, fit_signals, obstacle

Ints: TypeAlias = NDArray[np.int64]

COMBINED = "combined"
"""The name of the combination among the scores."""


class Score(NamedTuple):
    """How one candidate did out of fold; smaller is better in both."""

    name: str
    area: float
    log_loss: float


@dataclass(frozen=True, slots=True)
class Choice:
    """
    What to use as confidence, and why.

    `combined` is the record fitted to all labels, or None when the best single signal stays. `gain` is by how much
    the combination lessens the area of that signal, `gain_low` its one-sided lower bound; both are None, and `scores`
    empty, when nothing could be compared. `labels_missing` is how many more labels are needed at least.
    """

    combined: CombinedConfidence | None
    best_single: str | None
    scores: tuple[Score, ...]
    gain: float | None
    gain_low: float | None
    labels_missing: int
    reason: str


def folds_by_key(keys: Sequence[str], count: int = 5) -> Ints:
    """
    A fold in 0 .. `count`-1 for each key, by its SHA-256: the same today and next year, and in any order.

    Give cases that belong together (one customer, one document) one key, or the folds see each other's labels.
    """
    if checked_whole(count, "count") < 2:  # noqa: PLR2004 - one to fit on, one to judge on
        raise ValueError(f"count must be 2 or more, not {count}")
    return np.array([int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % count for key in keys], dtype=np.int64)


def choose_confidence(
    signals: Sequence[Signal],
    columns: Columns,
    correct: ArrayLike,
    decided_at: ArrayLike,
    folds: ArrayLike,
    *,
    penalty: float = PENALTY,
    confidence: float = 0.95,
) -> Choice:
    """
    Compares the combination with each signal alone, out of fold, and fits it to all labels when it is better.

    Shapes (labels,) throughout; `folds` are whole numbers, see `folds_by_key`. A single signal goes through the
    same regression, so that its direction, its scale and its gaps are dealt with alike. Orders are compared within
    folds only: the fits of two folds are not the same score. Raises ValueError for nonsense; too few labels, or
    labels of one kind, in all or in the rest of a fold, are a `Choice` of nothing with its reason.
    """
    level = checked_rate(confidence, "confidence")
    if any(signal.name == COMBINED for signal in signals):
        raise ValueError(f"no signal may be named {COMBINED!r}")
    if len(signals) == 1:
        return _none(f"{signals[0].name} is the only signal: there is nothing to combine", best=signals[0].name)
    hindrance = obstacle(signals, columns, correct)
    right = checked_verdicts(correct, len(columns[signals[0].name]))
    fold_of = _checked_folds(folds, len(right))
    if hindrance.reason is not None:
        return _none(hindrance.reason, missing=hindrance.labels_missing)
    candidates = {signal.name: [signal] for signal in signals} | {COMBINED: list(signals)}
    for fold in np.unique(fold_of):
        hindrance = _outside(signals, columns, right, fold_of == fold)
        if hindrance.reason is not None:
            return _none(f"without fold {fold}: {hindrance.reason}", missing=hindrance.labels_missing)
    chances = {
        name: _out_of_fold(used, columns, right, decided_at, fold_of, penalty) for name, used in candidates.items()
    }
    scores = tuple(
        Score(name, _area(chance, right, fold_of), _log_loss(chance, right)) for name, chance in chances.items()
    )
    best = min(scores[:-1], key=lambda score: score.area)
    low = _gain_low(chances[best.name], chances[COMBINED], right, fold_of, level)
    better = low > 0.0
    combined = fit_signals(signals, columns, right, decided_at, penalty=penalty) if better else None
    gain = best.area - scores[-1].area
    told = f"area {scores[-1].area:.4f} against {best.area:.4f} of {best.name}, less by at least {low:.4f}"
    reason = f"the combination is better: {told}" if better else f"{best.name} stays, no better was shown: {told}"
    return Choice(combined, best.name, scores, gain, low, 0, reason)


def _none(reason: str, *, best: str | None = None, missing: int = 0) -> Choice:
    return Choice(None, best, (), None, None, missing, reason)


def _outside(signals: Sequence[Signal], columns: Columns, right: Bools, held_out: Bools) -> Obstacle:
    """Whether the labels outside a fold carry a fit; how many more in all, when the fold keeps its share, if not."""
    rest = ~held_out
    found = obstacle(signals, _taken(columns, signals, rest), right[rest])
    return found._replace(labels_missing=math.ceil(found.labels_missing * len(right) / int(rest.sum())))


def _out_of_fold(
    signals: Sequence[Signal], columns: Columns, right: Bools, decided_at: ArrayLike, fold_of: Ints, penalty: float
) -> Floats:
    """
    Each case's chance of being right by the fit to the other folds.

    A case with a gap where the others have none has no confidence; it counts with the others' share of right ones.
    """
    times, chances = checked_numbers(decided_at, "decided_at"), np.empty(len(right))
    for fold in np.unique(fold_of):
        held_out = fold_of == fold
        rest = ~held_out
        fitted = fit_signals(signals, _taken(columns, signals, rest), right[rest], times[rest], penalty=penalty)
        found = fitted.apply(_taken(columns, signals, held_out))
        chances[held_out] = [fitted.right / fitted.labels if chance is None else chance for chance in found]
    return chances


def _taken(columns: Columns, signals: Sequence[Signal], cases: Bools) -> Columns:
    positions = np.flatnonzero(cases).tolist()
    return {signal.name: _at(columns[signal.name], positions) for signal in signals}


def _at(column: Column, positions: list[int]) -> Column:
    return column[positions] if isinstance(column, np.ndarray) else [column[place] for place in positions]


def _area(chances: Floats, right: Bools, fold_of: Ints) -> float:
    """The area under the risk-coverage curve, in [0, 1]: the folds' areas, weighted by their cases."""
    total = 0.0
    for fold in np.unique(fold_of):
        inside = fold_of == fold
        total += float(np.sum(_early(chances[inside])[0] * ~right[inside]))
    return total / len(right)


def _influence(chances: Floats, right: Bools, fold_of: Ints) -> Floats:
    """
    How far each case by itself moves the area, up to a constant: by its own error, and by pushing others back.

    A case puts everything ranked below it one place later, where an error at rank r weighs 1/r less.
    """
    moved = np.empty(len(right))
    for fold in np.unique(fold_of):
        inside = fold_of == fold
        weight, later, group_of = _early(chances[inside])
        wrong = ~right[inside]
        in_group = np.bincount(group_of, weights=wrong * later)
        below = np.cumsum(in_group[::-1])[::-1] - in_group / 2.0  # of cases in a tie half are below
        moved[inside] = wrong * weight - below[group_of]
    return moved


def _early(chances: Floats) -> tuple[Floats, Floats, Ints]:
    """
    Per case the weight of an error there, how much less that is one place later, and its group of equal chances.

    The weight at rank r of m is 1/r + ... + 1/m; cases of one chance share the mean of theirs, as if their order
    were drawn. Groups are numbered from the most confident on.
    """
    _, group_of, sizes = np.unique(-chances, return_inverse=True, return_counts=True)
    step = 1.0 / np.arange(1, len(chances) + 1)
    weight = np.cumsum(step[::-1])[::-1]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    mean_weight, mean_step = np.add.reduceat(weight, starts) / sizes, np.add.reduceat(step, starts) / sizes
    return mean_weight[group_of], mean_step[group_of], group_of.astype(np.int64)


def _gain_low(alone: Floats, combined: Floats, right: Bools, fold_of: Ints, confidence: float) -> float:
    """The one-sided lower bound for how much smaller the area of `combined` is."""
    gain = _area(alone, right, fold_of) - _area(combined, right, fold_of)
    moved = _influence(alone, right, fold_of) - _influence(combined, right, fold_of)
    error = float(np.std(moved, ddof=1)) / math.sqrt(len(right))
    return gain - float(special.ndtri(confidence)) * error


def _log_loss(chances: Floats, right: Bools) -> float:
    held = np.clip(chances, 1e-15, 1.0 - 1e-15)
    return float(-np.mean(np.log(np.where(right, held, 1.0 - held))))


def _checked_folds(folds: ArrayLike, cases: int) -> Ints:
    given = np.asarray(folds)
    if given.shape != (cases,):
        raise ValueError(f"folds must hold one fold for each of {cases} cases, not be of shape {given.shape}")
    if given.size and given.dtype.kind not in "iu":
        raise ValueError(f"folds must be whole numbers, not {given.dtype}")
    if given.size and len(np.unique(given)) < 2:  # noqa: PLR2004
        raise ValueError("folds must be two or more: one to fit on, one to judge on")
    return given.astype(np.int64)
