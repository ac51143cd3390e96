"""
Whether the cases of a calibration are alike from beginning to end: its first half against its second.

A calibration speaks about cases like the ones it saw. If the agent, the work or the reviewers changed while the labels
were collected, there is no such "like", and the answer should be looked at with a warning beside it.

Given how many cases are marked in both halves together, the number in either is hypergeometric if they are alike,
whatever their rate. The e-value holds the chance of what was seen under "every number is as likely" to that: its mean
over alike halves is exactly 1 (Vovk, Wang 2021, Annals of Statistics 49, for what an e-value allows).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy

from evidence.binomial import Floats, Ints, checked_counts
from evidence.thresholds.groups import checked_confidences, checked_errors

WARNING = 20.0
"""An e-value from which on the halves are called different; alike ones reach it once in twenty times at most."""


class Halves(NamedTuple):
    """`first` and `second` are (marked, cases) of either half, in order of decision; `log_e` says how they differ."""

    first: tuple[int, int]
    second: tuple[int, int]
    log_e: float

    @property
    def differ(self) -> bool:
        """Whether the evidence for a difference has reached `WARNING`."""
        return self.log_e >= math.log(WARNING)


class Exchangeability(NamedTuple):
    """The share of errors in both halves, and the share of cases below the threshold; `None` without a threshold."""

    errors: Halves
    below: Halves | None

    @property
    def warn(self) -> bool:
        """Whether anything differs between the halves."""
        return self.errors.differ or (self.below is not None and self.below.differ)


def exchangeability(
    confidences: Sequence[float] | Floats,
    errors: Sequence[int] | Sequence[bool] | Ints,
    threshold: float | None,
) -> Exchangeability:
    """
    Compare the halves of a calibration, the cases of shape (n,) in order of decision.

    Of an odd number of cases the second half has one more. `threshold` may be the one calibrated on the same cases,
    as it does not depend on their order.
    """
    sure, wrong = checked_confidences(confidences, "confidences"), checked_errors(errors)
    if len(sure) != len(wrong):
        raise ValueError(f"confidences and errors must be of equal length, but {len(sure)} is not {len(wrong)}")
    below = None if threshold is None else _split((sure < threshold).astype(np.int64))
    return Exchangeability(_split(wrong), below)


def log_e_different(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Log e-value against "both shares of (marked, cases) are alike", at one look; 0 with nothing to compare."""
    (marked, cases), (other, others) = checked_counts(*first), checked_counts(*second)
    both = marked + other
    possible = min(both, cases) - max(0, both - others) + 1
    if possible == 1:  # an empty half, or all cases marked or none: nothing could have come out differently
        return 0.0
    return -math.log(possible) - float(scipy.stats.hypergeom.logpmf(marked, cases + others, both, cases))


def _split(marked: Ints) -> Halves:
    middle = len(marked) // 2
    first, second = (int(marked[:middle].sum()), middle), (int(marked[middle:].sum()), len(marked) - middle)
    return Halves(first, second, log_e_different(first, second))
