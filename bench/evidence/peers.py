"""
The procedures that the thresholds are compared with, each written anew from its source.

All take a `Calibration` and give the lowest confidence that may be automated, `inf` for none. Only here to be
compared with: nothing in the product calls them.
"""

import math
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy import special, stats

from bench.evidence.drawing import Calibration, Floats, Ints
from evidence import binomial

NOTHING = math.inf
Correction = Literal["bonferroni", "bonferroni_holm", "fixed_sequence"]


def plug_in(drawn: Calibration, risk: float, _delta: float = 0.05) -> float:
    """The lowest confidence with at most `risk` wrong among the drawn cases: no guarantee at all."""
    return _lowest(drawn, np.flatnonzero(drawn.wrong <= risk * drawn.accepted))


def sgr_bound(errors: int, cases: int, delta: float) -> float:
    """The bound of SGR in closed form, on whole counts; the authors' code rounds k/n down and can lose an error."""
    return 1.0 if errors == cases else float(special.betaincinv(errors + 1, cases - errors, 1.0 - delta))


def sgr(drawn: Calibration, risk: float, delta: float = 0.05) -> float:
    """Selection with guaranteed risk: bisection over the order statistics (Geifman, El-Yaniv 2017, 1705.08500)."""
    accepted, wrong = drawn.accepted, drawn.wrong
    total = int(accepted[-1])
    looks = math.ceil(math.log2(total))
    low, high, found = 1, total, NOTHING
    for _ in range(looks):
        middle = math.ceil((low + high) / 2)  # the middle-th smallest confidence
        group = int(np.searchsorted(accepted, total - middle + 1))
        if sgr_bound(int(wrong[group]), int(accepted[group]), delta / looks) <= risk:
            high, found = middle, min(found, float(drawn.confidence[group]))
        else:
            low = middle
    return found


def bonferroni(drawn: Calibration, risk: float, delta: float = 0.05, *, points: int = 20) -> float:
    """Learn-then-Test (2110.01052), exact binomial p-values, `points` evenly spaced shares of the drawn cases."""
    accepted, wrong = drawn.accepted, drawn.wrong
    total = int(accepted[-1])
    wanted = np.ceil(total * np.arange(1, points + 1) / points)
    tried = np.unique(np.searchsorted(accepted, wanted))
    return _lowest(drawn, tried[stats.binom.cdf(wrong[tried], accepted[tried], risk) <= delta / points])


def fst30(drawn: Calibration, risk: float, delta: float = 0.05) -> float:
    """
    Fixed sequence over every distinct confidence, from where as many errors are tolerated as in 30 % of all cases.

    The predecessor of the product's procedure: every group is tested in turn, and the first failure ends it.
    """
    accepted, wrong = drawn.accepted, drawn.wrong
    start = fst30_start(int(accepted[-1]), risk, delta)
    first = int(np.searchsorted(accepted, start)) if start else len(accepted)
    passed = wrong[first:] <= _tolerated(int(accepted[-1]), risk, delta)[accepted[first:]]
    length = len(passed) if passed.all() else int(passed.argmin())
    return float(drawn.confidence[first + length - 1]) if length else NOTHING


@lru_cache
def fst30_start(total: int, risk: float, delta: float) -> int:
    """The smallest number of accepted cases that FST30 tests; 0 when there are too few cases for any test."""
    points = binomial.design_points(total, risk, delta)
    if not len(points):
        return 0
    tolerates = min(max(1, int(_tolerated(total, risk, delta)[math.floor(0.3 * total)])), len(points) - 1)
    while tolerates > 0 and points[tolerates] > 0.6 * total:
        tolerates -= 1
    return int(points[tolerates])


def nested_band(drawn: Calibration, risk: float, delta: float = 0.05) -> float:
    """The lowest confidence that passes its test at the joint level of all tests together; any start."""
    total = int(drawn.accepted[-1])
    level = nested_level(total, risk, delta)
    passed = drawn.wrong <= _tolerated(total, risk, level)[drawn.accepted]
    return _lowest(drawn, np.flatnonzero(passed & (drawn.accepted >= _first_point(total, risk, delta))))


@lru_cache
def nested_level(total: int, risk: float, delta: float) -> float:
    """The largest level of single tests at which all of them, on one growing sample, fail together `delta` at most."""
    start = _first_point(total, risk, delta)
    low, high = 0.0, delta
    for _ in range(40):
        middle = (low + high) / 2
        if _ever_passes(total, risk, middle, start) <= delta:
            low = middle
        else:
            high = middle
    return low


_tolerated = lru_cache(binomial.tolerated)


@lru_cache
def _first_point(total: int, risk: float, delta: float) -> int:
    points = binomial.design_points(total, risk, delta)
    return int(points[0]) if len(points) else total + 1


def _ever_passes(total: int, risk: float, level: float, start: int) -> float:
    """The chance that a rate of just `risk` passes some test of one level: a walk that is stopped where it passes."""
    if level <= 0.0:
        return 0.0
    points = np.maximum(binomial.design_points(total, risk, level), start)
    alive, seen, stopped = np.ones(1), 0, 0.0
    for tolerates, point in enumerate(points):
        step = stats.binom.pmf(np.arange(point - seen + 1), point - seen, risk)
        alive = np.convolve(alive, step)[: len(points) + 1]
        stopped += float(alive[: tolerates + 1].sum())
        alive[: tolerates + 1] = 0.0
        seen = int(point)
    return stopped


def hoeffding_bentkus(errors: int, cases: int, risk: float) -> float:
    """The p-value of Hoeffding and Bentkus (Bates et al. 2021, 2101.02703), on whole counts."""
    rate = min(errors / cases, risk)
    return float(min(_hoeffding(rate, cases, risk), math.e * stats.binom.cdf(errors, cases, risk)))


def controller_p(rate: Floats, cases: Ints, risk: float) -> Floats:
    """
    The p-value of MAPIE's controller for a measured error rate: the smaller of Hoeffding's and the binomial one.

    The count of errors is taken as the library takes it, the ceiling of cases times rate in floats, which can be
    one too many (7 of 25). NaN where nothing is accepted, as there.
    """
    known = np.maximum(cases, 1)
    exact = stats.binom.cdf(np.ceil(known * rate), known, risk)
    return np.where(cases > 0, np.minimum(_hoeffding(np.minimum(rate, risk), known, risk), exact), np.nan)


def _hoeffding(rate: Floats | float, cases: Ints | int, risk: float) -> Floats:
    distance = special.rel_entr(rate, risk) + special.rel_entr(1.0 - rate, 1.0 - risk)
    return np.asarray(np.exp(-cases * distance))


GRID = np.linspace(0, 0.99, 100)
"""The thresholds that the controller tries unless told otherwise."""


def controller_valid(drawn: Calibration, grid: Floats, risk: float, delta: float, correction: Correction) -> Floats:
    """Thresholds of an ascending `grid` that MAPIE 1.6's `BinaryClassificationController` finds safe, in its order."""
    cases, errors = _reaching(drawn, grid)
    precision = (cases - errors) / np.maximum(cases, 1)  # 0 where nothing is accepted; the library turns it round
    rate, limit = 1.0 - precision, 1.0 - (1.0 - risk)
    p = controller_p(rate, cases, limit)
    if correction == "bonferroni":
        return grid[p <= delta / len(grid)]
    level = np.full(len(grid), delta)
    if correction == "bonferroni_holm":
        if np.isnan(p).any():  # NaN counts as the smallest, and is not below any level: Holm ends before it began
            return grid[:0]
        order, level = np.argsort(p, kind="stable"), delta / np.arange(len(grid), 0, -1)
    else:
        rising = bool(np.all(np.diff(rate) >= 0)) or rate[-1] > rate[0]
        order = np.arange(len(grid)) if rising else np.arange(len(grid))[::-1]
    kept = p[order] <= level
    safe = order[: len(kept) if kept.all() else int(kept.argmin())]
    return grid[np.sort(safe) if correction == "bonferroni_holm" else safe]


def controller(
    drawn: Calibration, risk: float, delta: float = 0.05, *, correction: Correction, clipped: bool = False
) -> float:
    """
    The safe threshold that the controller settles on: that of the highest recall, of equals the first in its order.

    `clipped` leaves out of the library's grid what too few cases reach for any test.
    """
    grid = clipped_grid(drawn, risk, delta) if clipped else GRID
    valid = controller_valid(drawn, grid, risk, delta, correction) if len(grid) else grid
    if not len(valid):
        return NOTHING
    cases, _ = _reaching(drawn, valid)
    return float(valid[cases.argmax()])


def clipped_grid(drawn: Calibration, risk: float, delta: float) -> Floats:
    """The library's thresholds that enough cases reach for a test to be passed at all."""
    return GRID[_reaching(drawn, GRID)[0] >= _first_point(int(drawn.accepted[-1]), risk, delta)]


def _reaching(drawn: Calibration, grid: Floats) -> tuple[Ints, Ints]:
    place = np.searchsorted(-drawn.confidence, -grid, side="right")
    return np.append(0, drawn.accepted)[place], np.append(0, drawn.wrong)[place]


def _lowest(drawn: Calibration, places: Ints) -> float:
    return float(drawn.confidence[places.max()]) if len(places) else NOTHING
