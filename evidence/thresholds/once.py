"""
The calibration at go-live: one look, planned, at labelled cases; it answers where the agent may act alone, or why not.

The statement that comes with a threshold: of all calibrations like this one, at most a share `delta` has a true error
rate of the accepted cases above `risk`. It holds for one look. Running it again on the same cases and a few more, and
taking the better answer, is no calibration; for a sample that grows there is `schedule`.

The mode is chosen when the rollout is set up, never after the answers of both are known: that would cost a second
delta.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import scipy
from scipy import special

from evidence.binomial import checked_rate, smallest_sample
from evidence.thresholds.chain import Step, exact_tests, walk
from evidence.thresholds.groups import Groups, Tie
from evidence.thresholds.starts import Fit, fitted, fixed_start, learned_start, unsureness

MOST_LABELS = 10**6
"""Beyond this many labels an estimate of what is needed says `None`."""

BANDS = 5
BY_CHANCE = 0.05
"""So often an agent whose surest cases are as reliable as the next is said to have the wrong shape."""


class Mode(StrEnum):
    """What the guarantee may rest on: that more confident is not less reliable, or nothing at all about the shape."""

    LEARNED_START = "learned_start"
    FIXED_START = "fixed_start"


class Reason(StrEnum):
    """Why there is no threshold, and so no automation."""

    TOO_FEW_LABELS = "too_few_labels"
    TOP_GROUP_FAILS = "top_group_fails"
    START_FAILS = "start_fails"


class Band(NamedTuple):
    """`errors` of `cases` with confidence from `lowest` to `highest`."""

    lowest: float
    highest: float
    cases: int
    errors: int


class Shape(NamedTuple):
    """
    Whether more confident is more reliable, as far as the labels show; looked at before any result.

    `bands` are about equally many cases each, the most confident first. Where `falls` is false the next rollout
    is better set up with `Mode.FIXED_START`.
    """

    fit: Fit
    bands: tuple[Band, ...]

    @property
    def top_band_worse(self) -> bool:
        """
        Whether the most confident band has a higher share of errors than the next, beyond chance.

        By Fisher's exact test at `BY_CHANCE`: one error among 48 beside none says nothing about a shape.
        """
        if len(self.bands) == 1:
            return False
        top, following = self.bands[0], self.bands[1]
        both = top.errors + following.errors
        by_chance = scipy.stats.hypergeom.sf(top.errors - 1, top.cases + following.cases, both, top.cases)
        return bool(by_chance <= BY_CHANCE)

    @property
    def falls(self) -> bool:
        """Whether errors become rarer with confidence, overall and at the top."""
        return self.fit.slope >= 0.0 and not self.top_band_worse


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What one calibration says, with all that is needed to explain it; accept a case if its confidence >= `threshold`.

    `start` is the first test, `end` the last that passed, `stopped_by` the one that did not; `None` where there was
    none. `more_labels` estimates how many further labels would have made a threshold possible, if the agent is as
    good as it looked; `None` when there is one already, or when more labels would not help.
    """

    mode: Mode
    risk: float
    delta: float
    labels: int
    errors: int
    threshold: float | None
    reason: Reason | None
    start: Step | None
    end: Step | None
    stopped_by: Step | None
    more_labels: int | None
    tie: Tie | None
    shape: Shape | None

    @property
    def coverage(self) -> float:
        """The share of the labelled cases that the threshold accepts; 0 without one."""
        return self.end.accepted / self.labels if self.end else 0.0

    @property
    def explanation(self) -> str:
        """One sentence for the owner: why there is no threshold, or why it is not lower."""
        if self.reason is Reason.TOO_FEW_LABELS:
            return f"{self.labels} labels are too few for any statement: {self.more_labels} more are needed at least"
        if self.stopped_by is None:
            return "every group was accepted"
        accepted, errors, tolerated = self.stopped_by[1:]
        if self.reason is Reason.TOP_GROUP_FAILS:
            return f"the top group itself has {errors} of {accepted} wrong, {tolerated} would be tolerated"
        if self.reason is Reason.START_FAILS:
            return f"the first test at {accepted} cases tolerates {tolerated}, found {errors}"
        return f"next test at {accepted} cases tolerates {tolerated}, found {errors}"


def calibrate(groups: Groups, *, risk: float = 0.05, delta: float = 0.05, mode: Mode = Mode.LEARNED_START) -> Answer:
    """
    The lowest confidence at which the share of wrong outputs among the accepted is shown to be at most `risk`.

    How either mode chooses where to begin is told in `starts`, the tests that follow in `chain`. Raises ValueError
    when `risk` or `delta` is not strictly between 0 and 1.
    """
    risk, delta = checked_rate(risk, "risk"), checked_rate(delta, "delta")
    mode = Mode(mode)
    exact = exact_tests(groups, risk, delta)
    walked = None
    if len(exact.points):
        start = (learned_start if mode is Mode.LEARNED_START else fixed_start)(groups, exact)
        walked = walk(groups, exact, start)
    found = walked.end if walked else None
    return Answer(
        mode=mode,
        risk=risk,
        delta=delta,
        labels=groups.labels,
        errors=int(groups.errors[-1]) if len(groups) else 0,
        threshold=found.confidence if found else None,
        reason=None if found else _reason(groups, walked.start if walked else None),
        start=walked.start if walked else None,
        end=found,
        stopped_by=walked.stopped_by if walked else None,
        more_labels=None if found else _more_labels(groups, walked.start if walked else None, risk, delta),
        tie=groups.largest_tie(),
        shape=shape(groups),
    )


def shape(groups: Groups) -> Shape | None:
    """The shape check; `None` without cases."""
    if not len(groups):
        return None
    fit = fitted(unsureness(groups.confidence), groups.cases.astype(np.float64), groups.wrong.astype(np.float64))
    ends = np.unique(np.searchsorted(groups.accepted, groups.labels * np.arange(1, BANDS + 1) / BANDS))
    starts = np.append(0, ends[:-1] + 1)
    return Shape(fit, tuple(_band(groups, int(first), int(last)) for first, last in zip(starts, ends, strict=True)))


def least_labels(risk: float = 0.05, delta: float = 0.05) -> int:
    """Fewer accepted cases than this, all of them right, show nothing: 59 at 5 % and 5 %, 149 at 2 %, 299 at 1 %."""
    return smallest_sample(0, risk, delta)


def _band(groups: Groups, first: int, last: int) -> Band:
    before = (int(groups.accepted[first - 1]), int(groups.errors[first - 1])) if first else (0, 0)
    cases, errors = int(groups.accepted[last]) - before[0], int(groups.errors[last]) - before[1]
    return Band(float(groups.confidence[last]), float(groups.confidence[first]), cases, errors)


def _reason(groups: Groups, start: Step | None) -> Reason:
    if start is None:
        return Reason.TOO_FEW_LABELS
    return Reason.TOP_GROUP_FAILS if start.accepted == groups.accepted[0] else Reason.START_FAILS


def _more_labels(groups: Groups, start: Step | None, risk: float, delta: float) -> int | None:
    """The first test, scaled up at the rate of errors that it found, until it would pass."""
    if start is None:
        return least_labels(risk, delta) - groups.labels
    if start.errors >= risk * start.accepted:
        return None
    cases = _first_passing(start, risk, delta)
    return None if cases is None else math.ceil(cases * groups.labels / start.accepted) - groups.labels


def _first_passing(start: Step, risk: float, delta: float) -> int | None:
    """
    The fewest cases at which errors as frequent as in `start` are tolerated; `None` beyond `MOST_LABELS` of them.

    Only the most cases that the rate allows to k errors need to be tried, and more of both are the easier the more
    there are, but for the rounding to whole cases: where that lets a smaller number pass as well, the larger is told.
    """

    def passes(errors: int) -> bool:
        return _chance(errors, errors * start.accepted // start.errors, risk) <= delta

    fails, enough = start.errors, MOST_LABELS * start.errors // start.accepted
    if enough <= fails or not passes(enough):
        return None
    while enough - fails > 1:
        middle = (fails + enough) // 2
        fails, enough = (fails, middle) if passes(middle) else (middle, enough)
    too_few, cases = start.accepted, enough * start.accepted // start.errors
    while cases - too_few > 1:
        middle = (too_few + cases) // 2
        too_few, cases = (too_few, middle) if _chance(enough, middle, risk) <= delta else (middle, cases)
    return cases


def _chance(errors: int, cases: int, risk: float) -> float:
    """P(Bin(cases, risk) <= errors)."""
    return float(special.bdtr(errors, cases, risk)) if errors < cases else 1.0
