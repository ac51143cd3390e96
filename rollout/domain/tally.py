"""
The totals of one look, summed once for all gates: per lanes, and in them per segment.

Ten gates over a dozen segments ask for the same sums a hundred times. Summing is most of the work of judging.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from rollout.domain.phase import Lane
from rollout.domain.totals import Counts, CountsTable, Totals, summed

_NOTHING = Counts()


@dataclass(frozen=True, slots=True)
class Tally:
    """
    What was counted of one segment, or of all.

    `settled` sums the cohorts decided early enough, which `days` lists unsummed; `young` cases are not. That goes by
    the day of the decision, never of the verdict: quick agreement must not open a gate before slow overrides. `first`
    and `newest` are the days of the first and the last case. `adds_up` is False when one cohort cannot have come from
    counting.
    """

    settled: Counts = _NOTHING
    young: int = 0
    first: date | None = None
    newest: date | None = None
    adds_up: bool = True
    days: Sequence[tuple[date, Counts]] = ()

    def by_day(self) -> dict[date, Counts]:
        """The settled cohorts, summed per day, oldest first."""
        grouped: dict[date, list[Counts]] = {}
        for day, counts in self.days:
            grouped.setdefault(day, []).append(counts)
        return {day: found[0] if len(found) == 1 else summed(found) for day, found in sorted(grouped.items())}


@dataclass(frozen=True, slots=True)
class LaneTally:
    """All cases of some lanes, and those of each segment by its name."""

    whole: Tally
    segments: dict[str, Tally]


class Tallies:
    """Sums what gates ask for, and keeps the sums as long as the look lasts."""

    def __init__(self, totals: Totals, before: date) -> None:
        """`before`: only cohorts decided before this day are settled."""
        self._totals, self._before = totals, before
        self._present = frozenset(cohort.lane for cohort in totals)
        self._known: dict[frozenset[Lane], LaneTally] = {}

    def of(self, lanes: frozenset[Lane]) -> LaneTally:
        """What asks for more lanes than have cases shares the sums of what asks for just those."""
        lanes &= self._present
        found = self._known.get(lanes)
        if found is None:
            found = self._known[lanes] = self._summed(lanes)
        return found

    def _summed(self, lanes: frozenset[Lane]) -> LaneTally:
        grouped: dict[str, list[tuple[date, Counts]]] = {}
        for (lane, segment, day), counts in self._totals.items():
            if lane in lanes:
                grouped.setdefault(segment, []).append((day, counts))
        segments = {name: _tally(grouped[name], self._before) for name in sorted(grouped)}
        return LaneTally(_together(segments.values()), segments)


def _tally(cohorts: Sequence[tuple[date, Counts]], before: date) -> Tally:
    table = CountsTable([counts for _, counts in cohorts])
    old = np.fromiter((day < before for day, _ in cohorts), dtype=np.bool_, count=len(cohorts))
    worked = [day for (day, _), some in zip(cohorts, table.cases.tolist(), strict=True) if some]
    return Tally(
        settled=table.summed(old),
        young=int(table.cases[~old].sum()),
        first=min(worked, default=None),
        newest=max(worked, default=None),
        adds_up=table.add_up,
        days=[cohort for cohort in cohorts if cohort[0] < before],
    )


def _together(segments: Iterable[Tally]) -> Tally:
    parts = list(segments)
    return Tally(
        settled=summed([part.settled for part in parts]),
        young=sum(part.young for part in parts),
        first=min((part.first for part in parts if part.first is not None), default=None),
        newest=max((part.newest for part in parts if part.newest is not None), default=None),
        adds_up=all(part.adds_up for part in parts),
        days=[cohort for part in parts for cohort in part.days],
    )
