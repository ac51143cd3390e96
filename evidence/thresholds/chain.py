"""
The chain of exact tests from a start downwards, common to both modes of the one-shot calibration.

In a fixed sequence every test may use the whole of delta, as long as the first failure ends it: a false threshold
needs the first unsafe group that is tested to pass (Angelopoulos et al. 2021, arXiv 2110.01052). So the only art is
where to test. The exact test grows strict while cases are added and no further error is tolerated; it is tried
at every group in the first half of such a stretch, and not again before the next error is tolerated. Which groups
are tested depends on the confidences alone, never on a label.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evidence.binomial import Ints, design_points
from evidence.thresholds.groups import Groups

TESTED_SHARE = 0.5
"""The part of a stretch of equal tolerance in which every group is tested."""


class Step(NamedTuple):
    """One exact test: of `accepted` cases down to `confidence`, `errors` were wrong, `tolerated` are allowed."""

    confidence: float
    accepted: int
    errors: int
    tolerated: int

    @property
    def passed(self) -> bool:
        return self.errors <= self.tolerated


class Walk(NamedTuple):
    """Where a chain started, the last test that passed, and the one that did not; `None` where there is none."""

    start: Step
    end: Step | None
    stopped_by: Step | None


class Exact(NamedTuple):
    """The exact test for each group: `points` as by `binomial.design_points`, `tolerated` of shape (groups,)."""

    points: Ints
    tolerated: Ints


def exact_tests(groups: Groups, risk: float, delta: float) -> Exact:
    """Which numbers of errors the test at level `delta` tolerates at each group, -1 where not even none."""
    points = design_points(groups.labels, risk, delta)
    return Exact(points, (np.searchsorted(points, groups.accepted, side="right") - 1).astype(np.int64))


def walk(groups: Groups, exact: Exact, start: int) -> Walk:
    """Step downwards from the group `start` until the first failure. `start` must accept enough for some test."""
    tests = np.flatnonzero(_tested(groups, exact, start))
    failed = groups.errors[tests] > exact.tolerated[tests]
    passed = int(np.argmax(failed)) if failed.any() else len(tests)
    return Walk(
        start=step_at(groups, exact, start),
        end=step_at(groups, exact, int(tests[passed - 1])) if passed else None,
        stopped_by=step_at(groups, exact, int(tests[passed])) if passed < len(tests) else None,
    )


def step_at(groups: Groups, exact: Exact, at: int) -> Step:
    """The exact test at one group."""
    return Step(
        float(groups.confidence[at]), int(groups.accepted[at]), int(groups.errors[at]), int(exact.tolerated[at])
    )


def _tested(groups: Groups, exact: Exact, start: int) -> NDArray[np.bool_]:
    """
    Shape (groups,): the start, the first group of each stretch, all of its first half; all of the last stretch.

    The last stretch ends with the cases, not with a further tolerated error, so waiting would gain nothing there.
    """
    points, tolerated, accepted = exact.points, exact.tolerated, groups.accepted
    last = len(points) - 1
    following = np.append(points[1:], groups.labels)
    until = points + TESTED_SHARE * (following - points)
    tested = (accepted <= until[tolerated]) | (tolerated == last)
    tested[1:] |= tolerated[1:] > tolerated[:-1]
    tested[:start] = False
    tested[start] = True
    return np.asarray(tested)
