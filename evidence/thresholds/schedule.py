"""
Thresholds while labels keep coming in: looks that are declared beforehand, each at its own exact boundary.

For every confidence of a grid the accepted cases are a stream of their own. At each look a part of delta is spent on
it, and what was spent at earlier looks is accounted for exactly: the distribution of the number of errors is carried
on from look to look, without the paths that have crossed already. Whether anybody looks in between does not matter, as
long as nobody acts on it; a look that was not declared is refused, and when the horizon is reached the threshold
freezes until the agent's next version.

Sources: Lan, DeMets (1983), Biometrika 70 (spending); Learn-then-Test (arXiv 2110.01052) for the order of the grid.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy

from evidence.binomial import Floats, checked_counts, checked_rate, checked_whole
from evidence.thresholds.groups import Groups, checked_confidences
from evidence.thresholds.once import Answer

GRID = (0.995, 0.99, 0.985, 0.98, *(percent / 100 for percent in range(97, 20, -1)))
START_SHARE = 0.3
FEWEST_LABELS = 200
"""No threshold is answered before so many labels, however well they look."""

_NEGLIGIBLE = 1e-16
"""The upper tail of the number of errors that is not carried on: it holds less than a float can add to one."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """
    What is declared before the first look, and never changed after it.

    `looks` are numbers of labels, ascending, the last of them the horizon; `None` for no horizon, with a look at every
    multiple of `every` labels. `start` is the place in `grid` at which the walk begins. `go_live` is the number of
    labels of the calibration that was made before, or `None`; its own delta comes on top of `delta` here.
    """

    start: int
    looks: tuple[int, ...] | None = tuple(range(100, 3001, 100))
    every: int = 100
    grid: tuple[float, ...] = GRID
    risk: float = 0.05
    delta: float = 0.05
    go_live: int | None = None

    def __post_init__(self) -> None:
        """Raise ValueError when something is declared that cannot be kept."""
        checked_rate(self.risk, "risk")
        checked_rate(self.delta, "delta")
        _descending(checked_confidences(self.grid, "grid"))
        if checked_whole(self.start, "start") >= len(self.grid):
            raise ValueError(f"start must be a place in the grid of {len(self.grid)} points, not {self.start}")
        if checked_whole(self.every, "every") == 0:
            raise ValueError("every must be at least 1")
        if self.looks is not None:
            _ascending(self.looks, after=self.go_live or 0)
        if self.go_live is not None:
            checked_whole(self.go_live, "go_live")
            if self.looks is None:
                raise ValueError("a calibration at go-live needs a horizon: declare the looks")

    @property
    def horizon(self) -> int | None:
        """The number of labels after which the threshold freezes; `None` when it never does."""
        return self.looks[-1] if self.looks is not None else None

    def spent(self, labels: int) -> float:
        """The share of `delta` that may be spent by a look at so many labels, in [0, 1]."""
        if self.looks is None:
            steps = math.log2(1.0 + labels / 100.0) / 2.0
            return 1.0 - 1.0 / (1.0 + steps) ** 2
        before, pace = (0, 100.0) if self.go_live is None else (self.go_live, 2.0 * self.go_live / 3.0)
        if labels <= before:
            return 0.0
        return min(1.0, math.log1p((labels - before) / pace) / math.log1p((self.looks[-1] - before) / pace))

    def next_look(self, labels: int) -> int | None:
        """The first declared look after so many labels; `None` when none is left."""
        if self.looks is None:
            return (labels // self.every + 1) * self.every
        return next((look for look in self.looks if look > labels), None)


class Boundary(NamedTuple):
    """
    One grid point between looks: of `cases` accepted, `running[k]` is the chance of k errors without having crossed.

    The chance is the one at an error rate of just `risk`; `used` is what crossings have been granted of it so far.
    """

    cases: int = 0
    used: float = 0.0
    running: tuple[float, ...] = (1.0,)


class Point(NamedTuple):
    """A grid point after the last look. Once it has crossed its boundary it has for ever, and is carried no further."""

    cases: int = 0
    errors: int = 0
    crossed_at: int | None = None
    bound: int = -1
    boundary: Boundary = Boundary()


@dataclass(frozen=True, slots=True)
class State:
    """All that is kept between looks: the labels at the last one, the threshold of go-live, and every grid point."""

    labels: int
    opened_at: float | None
    points: tuple[Point, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers, lists and names, for storing as JSON."""
        points = [{**point._asdict(), "boundary": point.boundary._asdict()} for point in self.points]
        return {"labels": self.labels, "opened_at": self.opened_at, "points": points}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "State":
        """The state that `to_dict` has written, also after a way through JSON."""
        points = []
        for point in stored["points"]:
            boundary = {**point["boundary"], "running": tuple(point["boundary"]["running"])}
            points.append(Point(**{**point, "boundary": Boundary(**boundary)}))
        return cls(stored["labels"], stored["opened_at"], tuple(points))


class Blocked(NamedTuple):
    """The grid point that keeps the threshold up: `errors` of `cases`, where at most `bound` would have crossed."""

    confidence: float
    cases: int
    errors: int
    bound: int


@dataclass(frozen=True, slots=True)
class Standing:
    """
    Where the threshold stands after a look; accept a case if its confidence >= `threshold`, none if it is `None`.

    `spent` of the schedule's delta is used up. `next_look` is `None` when the threshold is frozen.
    """

    threshold: float | None
    labels: int
    spent: float
    next_look: int | None
    blocked_by: Blocked | None

    @property
    def explanation(self) -> str:
        """One sentence for the owner: what the threshold waits for."""
        if self.next_look is None:
            return f"frozen at {self.labels} labels, the declared horizon, until the next version"
        if self.labels < FEWEST_LABELS and self.threshold is None:
            return f"{self.labels} labels are too few: the first answer comes at {FEWEST_LABELS}"
        if self.blocked_by is None:
            return "the whole grid is accepted"
        at, cases, errors, bound = self.blocked_by
        tolerated = f"tolerates {bound}" if bound >= 0 else "cannot pass yet"
        return f"confidence {at:g} and above: {errors} of {cases} wrong, this look {tolerated}"


def start_on(grid: Sequence[float], confidences: Sequence[float] | Floats) -> int:
    """
    Where on the grid to start: the point that accepts a share nearest to .3 of the first confidences or of traffic.

    Labels are not needed. Of equally near points the more confident one.
    """
    sure = checked_confidences(confidences, "confidences")
    if not len(sure):
        raise ValueError("confidences must not be empty: the start is chosen by them")
    shares = (sure[None, :] >= np.asarray(grid)[:, None]).mean(axis=1)
    return int(np.argmin(np.abs(shares - START_SHARE)))


def begin(schedule: Schedule, go_live: Answer | None = None) -> State:
    """The state before the first look; with the answer of the calibration at go-live if the schedule declares one."""
    if (go_live.labels if go_live else None) != schedule.go_live:
        made = f"with {go_live.labels} labels" if go_live else "not at all"
        raise ValueError(f"the schedule declares go_live={schedule.go_live}, but a calibration was made {made}")
    if go_live and go_live.risk != schedule.risk:
        raise ValueError(f"go-live was calibrated for a risk of {go_live.risk}, the schedule for {schedule.risk}")
    opened_at = go_live.threshold if go_live else None
    return State(schedule.go_live or 0, opened_at, (Point(),) * len(schedule.grid))


def counts_on(grid: Sequence[float], groups: Groups) -> list[tuple[int, int]]:
    """(cases, errors) with at least the confidence of each grid point, as `look` wants them."""
    places = np.searchsorted(-groups.confidence, -np.asarray(grid, dtype=np.float64), side="right")
    cases, errors = np.append(0, groups.accepted)[places], np.append(0, groups.errors)[places]
    return [(int(n), int(k)) for n, k in zip(cases, errors, strict=True)]


def look(schedule: Schedule, state: State, labels: int, counts: Sequence[tuple[int, int]]) -> tuple[State, Standing]:
    """
    One declared look at `labels` labels in all, with (cases, errors) at or above each grid point.

    The counts are of all labels from the first on. Raises ValueError for a look that is not declared or lies behind,
    and for counts that shrink: what a look has seen is not taken back. A missed look may be passed over.
    """
    _declared(schedule, state, checked_whole(labels, "labels"))
    counted = _checked(state, labels, counts)
    budget = schedule.spent(labels) * schedule.delta
    points = tuple(
        _looked(point, cases, errors, labels, schedule.risk, budget)
        for point, (cases, errors) in zip(state.points, counted, strict=True)
    )
    after = State(labels, state.opened_at, points)
    return after, standing(schedule, after)


def standing(schedule: Schedule, state: State) -> Standing:
    """Where the threshold stands, without a look."""
    lowest, blocked_by = None, None
    opened_at = math.inf if state.opened_at is None else state.opened_at
    for confidence, point in zip(schedule.grid[schedule.start :], state.points[schedule.start :], strict=True):
        if point.crossed_at is None and confidence < opened_at:
            blocked_by = Blocked(confidence, point.cases, point.errors, point.bound)
            break
        lowest = confidence
    found = min(math.inf if lowest is None else lowest, opened_at)
    none = math.isinf(found) or state.labels < FEWEST_LABELS
    return Standing(
        threshold=None if none else found,
        labels=state.labels,
        spent=schedule.spent(state.labels),
        next_look=schedule.next_look(state.labels),
        blocked_by=blocked_by,
    )


def boundaries(cases: Iterable[int], budgets: Iterable[float], risk: float) -> list[int]:
    """
    The most errors that cross at each of several looks, -1 where none would.

    `cases` accepted by each look, never falling; `budgets` the part of delta that may be spent by then.
    """
    found, boundary = [], Boundary()
    for accepted, budget in zip(cases, budgets, strict=True):
        boundary, bound = carried_on(boundary, accepted, risk, budget)
        found.append(bound)
    return found


def carried_on(boundary: Boundary, cases: int, risk: float, budget: float) -> tuple[Boundary, int]:
    """Carry a boundary on to a look at `cases` accepted; returns with it the most errors that cross there, or -1."""
    running = _convolved(boundary.running, cases - boundary.cases, risk)
    used, bound = boundary.used, -1
    for errors, chance in enumerate(running):
        if not (errors < risk * cases and used + chance <= budget):
            break
        used, bound = used + float(chance), errors
    running[: bound + 1] = 0.0
    return Boundary(cases, used, tuple(running.tolist())), bound


def _convolved(running: tuple[float, ...], more: int, risk: float) -> Floats:
    """The chances after `more` further cases, cut where all that lies above is negligible."""
    if more == 0:
        return np.array(running)
    added = scipy.stats.binom.pmf(np.arange(more + 1), more, risk)
    chances = np.convolve(running, added)
    beyond = np.cumsum(chances[::-1])[::-1]
    return np.asarray(chances[: max(1, int(np.count_nonzero(beyond > _NEGLIGIBLE)))])


def _looked(point: Point, cases: int, errors: int, labels: int, risk: float, budget: float) -> Point:
    if point.crossed_at is not None:
        return point._replace(cases=cases, errors=errors)
    boundary, bound = carried_on(point.boundary, cases, risk, budget)
    if errors <= bound:
        return Point(cases, errors, labels, bound, Boundary(cases, boundary.used, ()))
    return Point(cases, errors, None, bound, boundary)


def _declared(schedule: Schedule, state: State, labels: int) -> None:
    if labels <= state.labels:
        raise ValueError(f"a look at {labels} labels lies behind: the last one was at {state.labels}")
    horizon = schedule.horizon
    if horizon is not None and labels > horizon:
        raise ValueError(f"a look at {labels} labels lies behind the horizon of {horizon}: the threshold is frozen")
    if labels % schedule.every if schedule.looks is None else labels not in schedule.looks:
        raise ValueError(f"no look at {labels} labels is declared: the next is at {schedule.next_look(state.labels)}")


def _checked(state: State, labels: int, counts: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    if len(counts) != len(state.points):
        raise ValueError(f"counts must be for {len(state.points)} grid points, not for {len(counts)}")
    counted, above = [], (0, 0)
    for place, (cases, errors) in enumerate(counts):
        errors, cases = checked_counts(errors, cases)  # noqa: PLW2901 - the same two, as plain integers
        before = state.points[place]
        if cases < above[0] or errors < above[1] or cases - above[0] < errors - above[1]:
            raise ValueError(f"counts[{place}] must include those of the grid point above it, {above}")
        if cases < before.cases or errors < before.errors or cases - before.cases < errors - before.errors:
            raise ValueError(f"counts[{place}] must include those of the last look, {(before.cases, before.errors)}")
        above = (cases, errors)
        counted.append(above)
    if above[0] > labels:
        raise ValueError(f"{above[0]} cases are accepted, but there are {labels} labels only")
    return counted


def _descending(grid: Floats) -> None:
    if not len(grid) or np.any(np.diff(grid) >= 0.0):
        raise ValueError("grid must hold confidences in descending order, each only once")


def _ascending(looks: tuple[int, ...], after: int) -> None:
    if not looks:
        raise ValueError("looks must not be empty: None stands for no horizon")
    for place, labels in enumerate(looks):
        if checked_whole(labels, f"looks[{place}]") <= after:
            raise ValueError(f"looks[{place}] must be more than {after} labels, not {labels}")
        after = labels
