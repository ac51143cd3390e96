"""
Chooses between a combination of signals and the best of them alone, so that chance does not choose.

Both are judged on labels they were not fitted on, in folds that the caller fixes. What decides is what the owner
wants: the share of cases that could be automated with at most `target` of them wrong, as a mean over limits from
half the target to one and a half times it, because the share at a single limit hops. The combination is chosen when
the lower bound of what it adds is above zero, with a standard error from leaving out one fold at a time.

Two measures are reported beside it and do not decide. The area under the risk-coverage curve looks at every limit at
once: a combination can order cases better over all and yet worse at the top, where the target lies. Log-loss also
rewards what is gained among cases that nobody would automate, and what any recalibration would mend.

The bound is approximate, and that is enough: a wrong choice here costs automation, never the guarantee, which comes
from a calibration on other labels.

Sources: El-Yaniv, Wiener (2010), JMLR 11 (coverage at a risk); Geifman, Uziel, El-Yaniv (2019), ICLR (the area);
Shao, Wu (1989), Annals of Statistics 17 (the jackknife that leaves out groups, for statistics that are not smooth).
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

_LIMITS = 21
"""From half the target to one and a half times it; more would not change the second digit."""


class Score(NamedTuple):
    """How one candidate did out of fold: `automated` better when larger, `area` and `log_loss` when smaller."""

    name: str
    automated: float
    area: float
    log_loss: float


@dataclass(frozen=True, slots=True)
class Choice:
    """
    What to use as confidence, and why.

    `combined` is the record fitted to all labels, or None when the best single signal stays. `gain` is the share of
    cases that the combination automates beyond that signal, `gain_low` its one-sided lower bound; both are None, and
    `scores` empty, when nothing could be compared. `labels_missing` is how many more labels are needed at least.
    """

    combined: CombinedConfidence | None
    best_single: str | None
    scores: tuple[Score, ...]
    gain: float | None
    gain_low: float | None
    labels_missing: int
    reason: str


def folds_by_key(keys: Sequence[str], count: int = 10) -> Ints:
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
    target: float,
    penalty: float = PENALTY,
    confidence: float = 0.95,
) -> Choice:
    """
    Compares the combination with each signal alone, out of fold, and fits it to all labels when it is better.

    Shapes (labels,) throughout; `folds` are whole numbers, see `folds_by_key`; `target` is the share of wrong ones
    among the automated that the threshold will be asked to hold. A single signal goes through the same regression, so
    that its direction, its scale and its gaps are dealt with alike. Raises ValueError for nonsense; too few labels, or
    labels of one kind, in all or outside a fold, are a `Choice` of nothing with its reason.
    """
    level, target = checked_rate(confidence, "confidence"), checked_rate(target, "target")
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
    scores = tuple(_score(name, chance, right, target) for name, chance in chances.items())
    best = max(scores[:-1], key=lambda score: (score.automated, -score.area))
    gain = scores[-1].automated - best.automated
    low = gain - _uncertain(chances[COMBINED], chances[best.name], right, fold_of, target, level)
    combined = fit_signals(signals, columns, right, decided_at, penalty=penalty) if low > 0.0 else None
    reason = _told(best, scores[-1], low, target)
    return Choice(combined, best.name, scores, gain, low, 0, reason)


def _told(best: Score, combined: Score, low: float, target: float) -> str:
    shares = f"{combined.automated:.1%} of cases against {best.automated:.1%} by {best.name} alone"
    told = f"around {target:.1%} wrong the combination automates {shares}, at least {low * 100:+.1f} points"
    return f"the combination is better: {told}" if low > 0.0 else f"{best.name} stays, no gain is shown: {told}"


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


def _score(name: str, chances: Floats, right: Bools, target: float) -> Score:
    held = np.clip(chances, 1e-15, 1.0 - 1e-15)
    log_loss = float(-np.mean(np.log(np.where(right, held, 1.0 - held))))
    return Score(name, _automated(chances, right, target), _area(chances, right), log_loss)


def _automated(chances: Floats, right: Bools, target: float) -> float:
    """The largest share of cases, most confident first and ties whole, with at most a limit wrong; over the limits."""
    accepted, wrong = _walk(chances, right)
    limits = target * np.linspace(0.5, 1.5, _LIMITS)
    held = wrong[None, :] <= limits[:, None] * accepted[None, :]
    return float(np.mean(np.max(np.where(held, accepted, 0), axis=1))) / len(right)


def _area(chances: Floats, right: Bools) -> float:
    """
    The area under the risk-coverage curve, in [0, 1]: the mean over all shares of the wrong ones among the accepted.

    Among n accepted out of a group of equal chances stands the share that is expected when their order is drawn.
    """
    accepted, wrong = _walk(chances, right)
    share = np.arange(1, len(right) + 1)
    return float(np.mean(np.interp(share, np.append(0, accepted), np.append(0, wrong)) / share))


def _walk(chances: Floats, right: Bools) -> tuple[Ints, Ints]:
    """How many cases are accepted, and how many of them are wrong, after each group of equal chances from the top."""
    _, group_of, sizes = np.unique(-chances, return_inverse=True, return_counts=True)
    wrong = np.bincount(group_of[~right], minlength=len(sizes))
    return np.cumsum(sizes), np.cumsum(wrong)


def _uncertain(combined: Floats, alone: Floats, right: Bools, fold_of: Ints, target: float, confidence: float) -> float:
    """How far the gain may lie below its estimate: Student's quantile times the error from leaving out each fold."""
    gains = []
    for fold in np.unique(fold_of):
        kept = fold_of != fold
        gains.append(_automated(combined[kept], right[kept], target) - _automated(alone[kept], right[kept], target))
    groups = len(gains)
    error = math.sqrt((groups - 1) * float(np.var(gains)))
    return float(special.stdtrit(groups - 1, confidence)) * error


def _checked_folds(folds: ArrayLike, cases: int) -> Ints:
    given = np.asarray(folds)
    if given.shape != (cases,):
        raise ValueError(f"folds must hold one fold for each of {cases} cases, not be of shape {given.shape}")
    if given.size and given.dtype.kind not in "iu":
        raise ValueError(f"folds must be whole numbers, not {given.dtype}")
    if given.size and len(np.unique(given)) < 2:  # noqa: PLR2004
        raise ValueError("folds must be two or more: one to fit on, one to judge on")
    return given.astype(np.int64)
