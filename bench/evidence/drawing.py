"""A population of judged cases, and calibrations drawn from it with replacement."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


class Calibration(NamedTuple):
    """Distinct confidences from high to low, and the cases and errors in each; three arrays of one length."""

    confidence: Floats
    cases: Ints
    errors: Ints

    @property
    def accepted(self) -> Ints:
        """How many cases reach each confidence."""
        return np.cumsum(self.cases)

    @property
    def wrong(self) -> Ints:
        """How many of them are wrong."""
        return np.cumsum(self.errors)


def calibration_of(confidence: Floats, error: Ints) -> Calibration:
    """Ties merged, sorted from high to low."""
    level, group = np.unique(-confidence, return_inverse=True)
    return _counted(-level, group, error, len(level))


def _counted(level: Floats, group: Ints, error: Ints, size: int) -> Calibration:
    cases = np.bincount(group, minlength=size)
    errors = np.bincount(group, weights=error, minlength=size).astype(np.int64)
    there = cases > 0
    return Calibration(level[there], cases[there], errors[there])


class Automated(NamedTuple):
    """What a threshold does to the whole population."""

    coverage: float
    risk: float


@dataclass(frozen=True)
class Population:
    """Confidence and error (0 or 1) of every case of a finite population, whose rates are the truth here."""

    name: str
    confidence: Floats
    error: Ints

    @cached_property
    def _levels(self) -> tuple[Floats, Ints]:
        level, group = np.unique(-self.confidence, return_inverse=True)
        return -level, group

    @cached_property
    def _whole(self) -> Calibration:
        return calibration_of(self.confidence, self.error)

    def draw(self, cases: int, rng: np.random.Generator) -> Calibration:
        """`cases` of them with replacement."""
        level, group = self._levels
        chosen = rng.integers(0, len(self.error), cases)
        return _counted(level, group[chosen], self.error[chosen], len(level))

    def automated(self, threshold: float) -> Automated:
        """The share of cases at or above `threshold`, and the share of these that is wrong; 0 of none."""
        last = int(np.searchsorted(-self._whole.confidence, -threshold, side="right")) - 1
        if last < 0:
            return Automated(0.0, 0.0)
        accepted = int(self._whole.accepted[last])
        return Automated(accepted / len(self.error), int(self._whole.wrong[last]) / accepted)

    def oracle(self, risk: float) -> float:
        """The largest share that could be automated with at most `risk` wrong, were all labels known."""
        safe = np.flatnonzero(self._whole.wrong <= risk * self._whole.accepted)
        return float(self._whole.accepted[safe[-1]] / len(self.error)) if len(safe) else 0.0
