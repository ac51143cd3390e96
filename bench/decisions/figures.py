"""Rounds of the same measurement and what is said of them: medians, and what bounded it."""

import math
import statistics
from collections.abc import Sequence

from bench.decisions.cell import Measured

_PARTS = ("web", "database", "workers", "generator")
_FULL = 0.9
"""Share of what it has from which a part is called the bound."""


class Rounds(list[Measured]):
    """The same cell, again and again. Every figure is the median of the rounds."""

    @property
    def ratio(self) -> float:
        return statistics.median(one.ratio for one in self)

    @property
    def slower(self) -> float:
        """The p99 as a multiple of the no-op's."""
        return statistics.median(one.slower for one in self)

    @property
    def spread(self) -> float:
        """Half the distance of the lowest and the highest ratio: how far to trust the figure."""
        ratios = [one.ratio for one in self]
        return (max(ratios) - min(ratios)) / 2

    @property
    def decisions(self) -> float:
        return statistics.median(one.load.decisions for one in self)

    @property
    def no_op(self) -> float:
        return statistics.median(one.no_op.decisions for one in self if one.no_op is not None)

    def cores(self, part: str) -> float:
        return statistics.median(one.cores.get(part, 0.0) for one in self)

    def rate_cells(self) -> tuple[str, str, str]:
        """The no-op's rate, ours, and the ratio with its spread."""
        return f"{self.no_op:,.0f}", f"{self.decisions:,.0f}", f"{self.ratio:.3f} ± {self.spread:.3f}"

    def time_cells(self) -> tuple[str, str, str]:
        """p50 / p99 of the no-op and of ours in milliseconds, and the ratio of the p99."""
        bases = [one.no_op for one in self if one.no_op is not None]
        return (
            f"{_milliseconds([one.p50 for one in bases])} / {_milliseconds([one.p99 for one in bases])}",
            f"{_milliseconds([one.load.p50 for one in self])} / {_milliseconds([one.load.p99 for one in self])}",
            f"{self.slower:.1f}",
        )

    def core_cells(self, machine: int) -> tuple[str, ...]:
        """
        What each part of ours took, and what was left to whatever else ran on the machine; then what a decision took
        of all parts in microseconds of a core, and how many a second that allows on so many cores.
        """
        taken = [self.cores(part) for part in _PARTS]
        shares = (f"{share:.2f}" for share in (*taken, max(0.0, self.cores("machine") - sum(taken))))
        each = sum(taken) / self.decisions
        return *shares, f"{1e6 * each:,.0f}", f"{machine / each:,.0f}"

    def bound(self, web_processes: int, machine: int) -> str:
        """What kept it from being faster."""
        if self.cores("web") >= _FULL * web_processes:
            return "Python in the web process"
        if self.cores("machine") >= _FULL * machine:
            return "the cores of the machine"
        return "waiting: commits, locks, one request at a time"


def _milliseconds(seconds: Sequence[float]) -> str:
    middle = 1000 * statistics.median(seconds)
    return f"{middle:.2f}" if middle < 10 or math.isnan(middle) else f"{middle:.0f}"
