"""
What was counted: cases and what people said of them, per lane, segment and day of the decision.

Everything a gate or guardrail says is a function of these few numbers, so judging costs the same for ten
cases as for ten million.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rollout.domain.phase import Lane


@dataclass(frozen=True, slots=True)
class Counts:
    """
    Cases of one cohort. `severe` and `minor` are parts of `overridden`, the rest of which is major; a case is at
    most one of agreed, overridden, void.

    `invalid_output`, `invalid_confidence` and `low_confidence` (below the threshold that was asked for, where one
    was looked at) are known when the case arrives and need no verdict.
    """

    cases: int = 0
    agreed: int = 0
    overridden: int = 0
    severe: int = 0
    void: int = 0
    invalid_output: int = 0
    invalid_confidence: int = 0
    minor: int = 0
    low_confidence: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(ours + theirs for ours, theirs in zip(self.figures, other.figures, strict=True)))

    @property
    def figures(self) -> tuple[int, ...]:
        """All nine, in the order of the fields."""
        return _figures(self)

    def __sub__(self, other: "Counts") -> "Counts":
        return Counts(*(ours - theirs for ours, theirs in zip(self.figures, other.figures, strict=True)))

    @property
    def pending(self) -> int:
        """Cases that nobody has ruled on yet."""
        return self.cases - self.agreed - self.overridden - self.void

    @property
    def major(self) -> int:
        """Overridden in a way that is neither severe nor minor."""
        return self.overridden - self.severe - self.minor

    @property
    def high_confidence(self) -> int:
        """Of cases held against a threshold: those that reached it. For other cohorts it means nothing."""
        return self.cases - self.low_confidence

    @property
    def add_up(self) -> bool:
        """False when these numbers cannot have come from counting; nothing may be concluded from them."""
        figures = _figures(self)
        cases, agreed, overridden, severe, void, invalid_output, invalid_confidence, minor, low_confidence = figures
        return (
            min(figures) >= 0
            and cases >= agreed + overridden + void
            and overridden >= severe + minor
            and cases >= max(invalid_output, invalid_confidence, low_confidence)
        )


_figures: Callable[[Counts], tuple[int, ...]] = attrgetter(*Counts.__slots__)
"""One call for nine fields: judging adds up thousands of these."""


class CountsTable:
    """The figures of many cohorts as one table: summed and checked by column, where one by one costs ten times more."""

    def __init__(self, counts: Sequence[Counts]) -> None:
        figures = chain.from_iterable(map(_figures, counts))
        width = len(Counts.__slots__)
        self._rows = np.fromiter(figures, dtype=np.int64, count=width * len(counts)).reshape(-1, width)

    @property
    def cases(self) -> NDArray[np.int64]:
        return self._rows[:, 0]

    def summed(self, where: NDArray[np.bool_]) -> Counts:
        return Counts(*self._rows[where].sum(axis=0).tolist())

    def grouped(self, groups: Sequence[int]) -> list[Counts]:
        """Summed per group; `groups` has the number of each row's, and every number from 0 on occurs."""
        sums = np.zeros((max(groups, default=-1) + 1, self._rows.shape[1]), dtype=np.int64)
        np.add.at(sums, np.asarray(groups, dtype=np.intp), self._rows)
        return [Counts(*row) for row in sums.tolist()]

    @property
    def add_up(self) -> bool:
        """Whether every row does; see `Counts.add_up`."""
        cases, agreed, overridden, severe, void, invalid_output, invalid_confidence, minor, low = self._rows.T
        return bool(
            (self._rows >= 0).all()
            and (cases >= agreed + overridden + void).all()
            and (overridden >= severe + minor).all()
            and all((cases >= part).all() for part in (invalid_output, invalid_confidence, low))
        )


class Cohort(NamedTuple):
    """
    Where a case is counted. `day` is the UTC day of the decision; an empty segment: none was given.

    A tuple, for it is the key of every total, and judging asks for thousands of them.
    """

    lane: Lane
    segment: str
    day: date


Totals = Mapping[Cohort, Counts]


def counted(totals: Totals, lanes: Iterable[Lane]) -> Totals:
    """Only the cohorts of these lanes."""
    wanted = frozenset(lanes)
    return {cohort: counts for cohort, counts in totals.items() if cohort.lane in wanted}


def total(totals: Totals) -> Counts:
    return summed(totals.values())


def summed(counts: Iterable[Counts]) -> Counts:
    """Column by column: adding records two by two costs many times as much."""
    return Counts(*map(sum, zip(*map(_figures, counts), strict=True)))


def by_day(totals: Totals) -> dict[date, Counts]:
    """Summed per day, oldest first."""
    of_cohorts = [cohort.day for cohort in totals]
    days = sorted(set(of_cohorts))
    place = {day: number for number, day in enumerate(days)}
    return dict(zip(days, CountsTable([*totals.values()]).grouped([place[day] for day in of_cohorts]), strict=True))


def by_segment(totals: Totals) -> dict[str, Counts]:
    """Summed per segment, by name."""
    segments: dict[str, list[Counts]] = {}
    for cohort, counts in totals.items():
        segments.setdefault(cohort.segment, []).append(counts)
    return {name: summed(segments[name]) for name in sorted(segments)}


def of_segment(totals: Totals, segment: str) -> Totals:
    return {cohort: counts for cohort, counts in totals.items() if cohort.segment == segment}
