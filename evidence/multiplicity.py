"""
Keeps the promise of a gate when several things are judged at once.

Which correction is due depends on how the answers are put together:

* *All must pass* (overrides, and severe overrides, and schema errors): none. Each gate at its own delta keeps the
  whole at delta, for the whole is wrong only when the one that should have failed passes (intersection-union;
  Berger 1982). That is `all_pass`.
* *Each says something for itself*, as segments do, and we want none of them to be wrong: `holm` or, better, `averaged`
  on e-values; `holm_adjusted` on p-values of one planned look.
* *Few wrong ones among many findings* is enough, as in a list of segments to look into: `benjamini_hochberg_adjusted`.

E-values of one stream may be corrected at every look: the promise then holds at all looks together, as long as the
family of segments is declared. Segments nobody has seen yet belong to it, with an e-value of one.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from evidence import sequences
from evidence.binomial import checked_rate, checked_whole
from evidence.logistic import checked_confidences


class Standing(StrEnum):
    """Where a segment's rate stands to its limit, as far as has been shown."""

    BELOW = "below"
    ABOVE = "above"
    UNDECIDED = "undecided"


class Segment(NamedTuple):
    """One segment among its family; both log e-values are adjusted for the whole family."""

    standing: Standing
    log_e_below: float
    log_e_above: float


def judge_segments(
    counts: Sequence[tuple[int, int]], limit: float, confidence: float = 0.95, *, family: int | None = None
) -> tuple[Segment, ...]:
    """
    Which segments are shown to be below `limit`, and which above; by (bad, cases) of each, at every look.

    With `confidence` no segment is wrongly said to be below; and, as a statement of its own, none wrongly above.
    `family` is the number of segments declared, when some of them have not been seen; else as many as there are
    `counts`. A policy that opens only what is BELOW, or closes only what is ABOVE, each has the full promise.
    """
    return standings(
        [sequences.log_e_below(bad, cases, limit) for bad, cases in counts],
        [sequences.log_e_above(bad, cases, limit) for bad, cases in counts],
        confidence,
        family=family,
    )


def standings(
    log_e_below: Sequence[float], log_e_above: Sequence[float], confidence: float = 0.95, *, family: int | None = None
) -> tuple[Segment, ...]:
    """
    The same from the log e-values of each segment, one pair for each, where they are known already.

    0 says that nothing was seen, -inf that what was seen may not speak for anything.
    """
    if len(log_e_below) != len(log_e_above):
        raise ValueError(f"each segment needs two e-values, not {len(log_e_below)} below and {len(log_e_above)} above")
    below, above = averaged(log_e_below, family=family), averaged(log_e_above, family=family)
    checked_rate(confidence, "confidence")

    def standing(low: float, high: float) -> Standing:
        if sequences.crossed(low, confidence):
            return Standing.BELOW
        return Standing.ABOVE if sequences.crossed(high, confidence) else Standing.UNDECIDED

    return tuple(Segment(standing(low, high), low, high) for low, high in zip(below, above, strict=True))


def holm(log_e_values: Sequence[float], confidence: float = 0.95, *, family: int | None = None) -> list[bool]:
    """
    Which hypotheses are rejected by Holm's steps down: the largest must reach m/delta, the next (m-1)/delta, ...

    Holm 1979 on the p-values 1/E; none is wrongly rejected with `confidence`, whatever the dependence.
    """
    values, family = _checked_log_e(log_e_values, family)
    threshold, rejected = _threshold(confidence), [False] * len(values)
    for step, place in enumerate(sorted(range(len(values)), key=values.__getitem__, reverse=True)):
        if values[place] < threshold + math.log(family - step):
            break
        rejected[place] = True
    return rejected


def averaged(log_e_values: Sequence[float], *, family: int | None = None) -> list[float]:
    """
    Log e-values adjusted for their family: reject where the adjusted one has crossed; in the order given.

    Closed testing with the mean as the merging function (Vovk and Wang 2021, Annals of Statistics 49, algorithm 1):
    an adjusted e-value is the smallest mean of any group that it belongs to. Rejects whatever `holm` rejects, and
    more when several segments are good together. A mean of e-processes is one, so it holds at all looks at once.
    """
    values, family = _checked_log_e(log_e_values, family)
    padded = np.sort(np.array([*values, *[0.0] * (family - len(values))]))
    with np.errstate(invalid="ignore"):
        smallest = np.logaddexp.accumulate(padded) if len(padded) else padded
    sizes = np.log(np.arange(2, len(padded) + 1))
    adjusted = []
    for value in values:
        above = int(np.searchsorted(padded, value, side="left"))
        # The groups that pull a value down most hold the smallest others, all of which lie below it.
        means = np.logaddexp(smallest[:above], value) - sizes[:above]
        adjusted.append(float(min(value, means.min(initial=math.inf))))
    return adjusted


def holm_adjusted(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted by Holm 1979: reject those at most delta, and with 1 - delta nothing true is rejected."""
    ordered, order = _ordered_p(p_values)
    steps = ordered * np.arange(len(ordered), 0, -1)
    return _back(np.minimum(np.maximum.accumulate(steps), 1.0), order)


def benjamini_hochberg_adjusted(p_values: Sequence[float]) -> list[float]:
    """
    P-values adjusted by Benjamini and Hochberg 1995: among those at most q, a share of q is wrong on average.

    For independent or positively dependent p-values. A list to look into, not a decision to automate.
    """
    ordered, order = _ordered_p(p_values)
    return _back(scipy.stats.false_discovery_control(ordered), order)


def all_pass(passed: Sequence[bool]) -> bool:
    """Whether every gate passed, each at its own delta. Without gates nothing was shown, and nothing passes."""
    for place, verdict in enumerate(passed):
        if verdict not in (True, False):  # a NaN or a text would count as passed
            raise ValueError(f"passed[{place}] must be true or false, not {verdict!r}")
    return len(passed) > 0 and all(passed)


def _threshold(confidence: float) -> float:
    return -math.log1p(-checked_rate(confidence, "confidence"))


def _checked_log_e(log_e_values: Sequence[float], family: int | None) -> tuple[list[float], int]:
    values = [_log_e(value, f"log_e_values[{place}]") for place, value in enumerate(log_e_values)]
    size = len(values) if family is None else checked_whole(family, "family")
    if size < len(values):
        raise ValueError(f"family must count all {len(values)} e-values, but is {size}")
    return values, size


def _log_e(value: float, name: str) -> float:
    """Any number with its sign, also an infinite one, but no NaN."""
    try:
        if value == value + 0.0:
            return float(value)
    except TypeError:
        pass
    raise ValueError(f"{name} must be a number, not {value!r}")


def _ordered_p(p_values: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    values = checked_confidences(p_values, "p_values")
    order = np.argsort(values, kind="stable")
    return values[order], order


def _back(ordered: NDArray[np.float64], order: NDArray[np.intp]) -> list[float]:
    result = np.empty_like(ordered)
    result[order] = ordered
    return [float(value) for value in result]
