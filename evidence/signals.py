"""
One confidence from several signals of an agent: log-probability, agreement with itself, a judge's score, length.

A regularised logistic regression, kept as a frozen record of plain numbers whose `version` is a digest of them. It
takes the place of the best single signal only where it orders cases better on labels it has not seen: see
`evidence.signal_choice`.

**The labels it is fitted on must not be used again to calibrate the threshold.** A score that has seen its labels
ranks their errors too low, and a threshold found there promises more than it holds. Fit on the older labels and
calibrate on the newer ones: `older_and_newer` splits so, and `may_calibrate` says which cases a record may be used
for, from the time up to which it has seen labels.

Sources: Hoerl, Kennard (1970), Technometrics 12 (ridge); Peduzzi et al. (1996), J. Clin. Epidemiology 49 (labels per
coefficient); Jones (1996), JASA 91 (missing-indicator method: right for prediction, not for explanation).
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from evidence import logistic
from evidence.binomial import checked_amount, checked_rate
from evidence.logistic import Bools, Floats, checked_numbers, checked_verdicts

Column: TypeAlias = Sequence[float | None] | NDArray[np.float64]
Columns: TypeAlias = Mapping[str, Column]
"""Values of each signal by its name, one per case; None where it is missing. NaN is an error, not a gap."""

LABELS_PER_COEFFICIENT = 10
PENALTY = 1.0

_NEAREST_EDGE = 1e-6


class Scale(StrEnum):
    """How a signal is read before it is standardised."""

    PLAIN = "plain"
    PROBABILITY = "probability"
    """
    In [0, 1], read as its logit: .99 and .999 are as far apart as .9 and .99. Exactly 0 and 1 have none and count as
    half as far from the edge as the nearest other value among the labels: an agent that speaks in steps of .01 and
    says 1 means .995, not .999999, and a point that far out would turn the whole fit.
    """
    POSITIVE = "positive"
    """Zero or more, read as log(1 + x): lengths, counts, seconds."""


class Signal(NamedTuple):
    """A signal by the name of its column."""

    name: str
    scale: Scale = Scale.PLAIN


@dataclass(frozen=True, slots=True)
class FittedSignal:
    """
    One term of the combination, in units after `scale`; `clip` is how near to 0 and 1 a probability may come.

    A value outside [`lowest`, `highest`], which is what the labels had, counts as the nearer end: nothing was
    learned beyond. A missing one counts as `median` and adds `missing_coefficient`, which is None when none was
    missing among the labels.
    """

    name: str
    scale: Scale
    clip: float
    lowest: float
    highest: float
    median: float
    centre: float
    spread: float
    coefficient: float
    missing_coefficient: float | None


@dataclass(frozen=True, slots=True)
class CombinedConfidence:
    """
    Confidence = 1 / (1 + exp(-(`intercept` + sum of the signals' terms))), each term standardised.

    `labels_digest` is the SHA-256 of all that it was fitted on; `seen_until` the newest `decided_at` among it.
    """

    signals: tuple[FittedSignal, ...]
    intercept: float
    penalty: float
    labels: int
    right: int
    seen_until: float
    labels_digest: str

    @property
    def version(self) -> str:
        """The first 16 digits of the SHA-256 of the record: another number anywhere in it is another version."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def apply(self, columns: Columns) -> list[float | None]:
        """
        The confidence of each case, in [0, 1].

        None where a signal is missing that never was among the labels: there is no evidence about such cases, and
        without a confidence they go to a person. Raises ValueError for absent columns, NaN and values off the scale.
        """
        read = _read([Signal(term.name, term.scale) for term in self.signals], columns)
        score = np.full(read.cases, self.intercept)
        unknown = np.zeros(read.cases, dtype=np.bool_)
        for term, values, missing in zip(self.signals, read.values, read.missing, strict=True):
            scaled = _scaled(values, term.scale, term.clip)
            held = np.clip(np.where(missing, term.median, scaled), term.lowest, term.highest)
            score += term.coefficient * (held - term.centre) / term.spread
            if term.missing_coefficient is None:
                unknown |= missing
            else:
                score += term.missing_coefficient * missing
        chances = special.expit(score).tolist()
        return [None if gone else chance for chance, gone in zip(chances, unknown.tolist(), strict=True)]

    def may_calibrate(self, decided_at: ArrayLike) -> Bools:
        """Per case whether its label may be used for a threshold on this confidence: decided after all it has seen."""
        return checked_numbers(decided_at, "decided_at") > self.seen_until


class Split(NamedTuple):
    """Positions of cases, ascending: the confidence is fitted on `older`, the threshold calibrated on `newer`."""

    older: NDArray[np.int64]
    newer: NDArray[np.int64]


def older_and_newer(decided_at: ArrayLike, share: float = 0.5) -> Split:
    """
    Parts cases by time: about `share` of them, the oldest, and the rest; cases of one moment stay together.

    `decided_at` are seconds, shape (cases,), in any order. When a moment lies across the cut its cases are newer.
    """
    times = checked_numbers(decided_at, "decided_at")
    share = checked_rate(share, "share")
    if not len(times):
        return Split(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    cut = np.sort(times)[min(math.floor(share * len(times)), len(times) - 1)]
    return Split(np.flatnonzero(times < cut), np.flatnonzero(times >= cut))


def fit_signals(
    signals: Sequence[Signal], columns: Columns, correct: ArrayLike, decided_at: ArrayLike, *, penalty: float = PENALTY
) -> CombinedConfidence:
    """
    Fits the combination to labels: shapes (labels,) for each column, `correct` (0 or 1) and `decided_at` (seconds).

    Minimises minus the log-likelihood plus `penalty`/2 times the squared coefficients of standardised signals and of
    missing ones; the intercept is free. Raises ValueError with the obstacle (`obstacle`) and for nonsense.
    """
    read = _read(signals, columns)
    right = checked_verdicts(correct, read.cases)
    times = checked_numbers(decided_at, "decided_at")
    if len(times) != read.cases:
        raise ValueError(f"decided_at must hold one time for each of {read.cases} cases, not {len(times)}")
    if not checked_amount(penalty, "penalty") > 0.0:
        raise ValueError(f"penalty must be above 0, not {penalty!r}")
    found = _obstacle(read, right)
    if found.reason is not None:
        raise ValueError(found.reason)
    terms = [_standardised(*column) for column in zip(signals, read.values, read.missing, strict=True)]
    fitted, intercept = _fitted(terms, read, right, penalty)
    return CombinedConfidence(
        signals=fitted,
        intercept=intercept,
        penalty=float(penalty),
        labels=read.cases,
        right=int(right.sum()),
        seen_until=float(times.max()),
        labels_digest=_digest(signals, read, right, times),
    )


class Obstacle(NamedTuple):
    """Why labels do not carry a fit, and how many more would at least be needed; `reason` is None when they do."""

    reason: str | None
    labels_missing: int


def obstacle(signals: Sequence[Signal], columns: Columns, correct: ArrayLike) -> Obstacle:
    """Whether these labels carry a fit: both verdicts among them, and enough of them for each coefficient."""
    read = _read(signals, columns)
    return _obstacle(read, checked_verdicts(correct, read.cases))


class _Read(NamedTuple):
    """Columns in the order of the signals, as given; 0 where `missing`."""

    cases: int
    values: list[Floats]
    missing: list[Bools]


def _read(signals: Sequence[Signal], columns: Columns) -> _Read:
    if not signals:
        raise ValueError("signals must name one signal or more")
    names = [signal.name for signal in signals]
    if len(set(names)) != len(names):
        raise ValueError(f"signals must have different names, not {names}")
    if absent := [name for name in names if name not in columns]:
        raise ValueError(f"columns lack the signals {absent}")
    lengths = {name: len(columns[name]) for name in names}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"columns must be of one length, not {lengths}")
    both = [_column(signal, columns[signal.name]) for signal in signals]
    return _Read(lengths[names[0]], [values for values, _ in both], [missing for _, missing in both])


def _column(signal: Signal, column: Column) -> tuple[Floats, Bools]:
    place = f"columns[{signal.name!r}]"
    if isinstance(column, np.ndarray) and column.dtype.kind != "O":
        missing = np.zeros(len(column), dtype=np.bool_)
        values = checked_numbers(column, place)
    else:
        missing = np.array([value is None for value in column], dtype=np.bool_)
        values = checked_numbers([0.0 if value is None else value for value in column], place)
    if signal.scale is Scale.PROBABILITY:
        return logistic.checked_confidences(values, place), missing
    if signal.scale is Scale.POSITIVE and len(negative := np.flatnonzero(values < 0.0)):
        raise ValueError(f"{place}[{int(negative[0])}] must not be negative, but is {float(values[negative[0]])!r}")
    return values, missing


def _scaled(values: Floats, scale: Scale, clip: float) -> Floats:
    if scale is Scale.PROBABILITY:
        return np.asarray(special.logit(np.clip(values, clip, 1.0 - clip)), dtype=np.float64)
    return np.log1p(values) if scale is Scale.POSITIVE else values


def _clip_of(present: Floats, scale: Scale) -> float:
    """Half as far from 0 and 1 as the nearest value that is neither; 0 on the scales that need none."""
    if scale is not Scale.PROBABILITY:
        return 0.0
    inside = present[(present > 0.0) & (present < 1.0)]
    nearest = float(np.minimum(inside, 1.0 - inside).min()) if len(inside) else 0.5
    return max(nearest / 2.0, _NEAREST_EDGE)


def _obstacle(read: _Read, right: Bools) -> Obstacle:
    coefficients = 1 + len(read.values) + sum(bool(missing.any()) for missing in read.missing)
    needed = LABELS_PER_COEFFICIENT * coefficients
    if read.cases < needed:
        more = needed - read.cases
        return Obstacle(f"{read.cases} labels for {coefficients} coefficients: {more} more are needed", more)
    if right.all() or not right.any():
        verdict = "right" if right[0] else "wrong"
        return Obstacle(f"all {read.cases} labels are {verdict}: nothing tells one case from another", 1)
    return Obstacle(None, 0)


def _standardised(signal: Signal, values: Floats, missing: Bools) -> FittedSignal:
    """Everything about a term but its coefficients. A signal without spread gets a spread of 1 and says nothing."""
    present = values[~missing] if not missing.all() else np.full(1, 0.5)
    clip = _clip_of(present, signal.scale)
    present, scaled = _scaled(present, signal.scale, clip), _scaled(values, signal.scale, clip)
    median = float(np.median(present))
    filled = np.where(missing, median, scaled)
    lowest, highest = float(present.min()), float(present.max())
    flat = lowest == highest
    return FittedSignal(
        name=signal.name,
        scale=signal.scale,
        clip=clip,
        lowest=lowest,
        highest=highest,
        median=median,
        centre=median if flat else float(filled.mean()),
        spread=1.0 if flat else float(filled.std()),
        coefficient=0.0,
        missing_coefficient=0.0 if missing.any() else None,
    )


def _fitted(
    terms: Sequence[FittedSignal], read: _Read, right: Bools, penalty: float
) -> tuple[tuple[FittedSignal, ...], float]:
    design = [np.ones(read.cases)]
    for term, values, missing in zip(terms, read.values, read.missing, strict=True):
        scaled = _scaled(values, term.scale, term.clip)
        design.append((np.where(missing, term.median, scaled) - term.centre) / term.spread)
        if term.missing_coefficient is not None:
            design.append(missing.astype(np.float64))
    weights = np.full(len(design), float(penalty))
    weights[0] = 0.0
    intercept, *rest = logistic.fit(np.column_stack(design), right.astype(np.float64), weights).tolist()
    coefficients = iter(rest)
    fitted = [
        replace(
            term,
            coefficient=next(coefficients),
            missing_coefficient=None if term.missing_coefficient is None else next(coefficients),
        )
        for term in terms
    ]
    return tuple(fitted), intercept


def _digest(signals: Sequence[Signal], read: _Read, right: Bools, times: Floats) -> str:
    """Over names, scales, values, gaps, verdicts and times, in the order given."""
    found = hashlib.sha256(repr([(signal.name, str(signal.scale)) for signal in signals]).encode())
    for array in (*read.values, *read.missing, right, times):
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()
