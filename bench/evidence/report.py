"""Figures with their standard errors, held against claims, and how they are written down."""

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from evidence import binomial

SLACK = 3.0
"""Standard errors by which chance may carry a measured figure past its limit."""


class Share(NamedTuple):
    """So many of the runs: `count` of `runs`."""

    count: int
    runs: int

    @property
    def rate(self) -> float:
        return self.count / self.runs

    @property
    def error(self) -> float:
        """Half a run is added to either side, so that none of a few runs is not certainty."""
        rate = (self.count + 0.5) / (self.runs + 1)
        return math.sqrt(rate * (1 - rate) / self.runs)

    def __str__(self) -> str:
        if self.count == 0:
            return f"0 of {self.runs:,} (below {percent(binomial.upper_bound(0, self.runs), 2)})"
        return f"{percent(self.rate, 2)} ± {100 * self.error:.2f}"

    def at_most(self, limit: float) -> bool:
        """Whether it is `limit` but for the chance of so many runs."""
        return self.rate <= limit + SLACK * math.sqrt(limit * (1 - limit) / self.runs)

    def at_least(self, limit: float) -> bool:
        return Share(self.runs - self.count, self.runs).at_most(1 - limit)


class Mean(NamedTuple):
    """A mean over runs, of shares or anything else, with its standard error."""

    mean: float
    error: float
    runs: int = 0

    @classmethod
    def of(cls, values: Sequence[float] | np.ndarray) -> "Mean":
        array = np.asarray(values, dtype=np.float64)
        error = float(array.std(ddof=1) / math.sqrt(len(array))) if len(array) > 1 else 0.0
        return cls(float(array.mean()), error, len(array))

    @classmethod
    def over(cls, means: Sequence["Mean"]) -> "Mean":
        """The mean of independent means."""
        if not means:
            return cls(math.nan, math.nan)
        error = math.sqrt(sum(one.slack**2 for one in means)) / len(means)
        return cls(math.fsum(one.mean for one in means) / len(means), error)

    @property
    def slack(self) -> float:
        """The standard error, and of a share half a run at least: a few runs that agree are not certainty."""
        return max(self.error, 0.5 / self.runs if self.runs else 0.0)

    def relative_to(self, whole: float) -> "Mean":
        return Mean(self.mean / whole, self.slack / whole, self.runs)

    def at_least(self, limit: float) -> bool:
        return self.mean >= limit - SLACK * self.slack

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.error:.3f}"


class Median(NamedTuple):
    """The median of runs, some of which may never have ended (`inf`), with its standard error by order statistics."""

    median: float
    error: float
    ninth: float
    """The value that 90 % of the runs stay below."""
    lowest: float
    """Where the median may be for the chance in this measurement and in another of the same size."""

    @classmethod
    def of(cls, values: np.ndarray) -> "Median":
        ordered = np.sort(values)
        middle, step = len(ordered) / 2, SLACK * math.sqrt(len(ordered)) / 2

        def at(place: float) -> float:
            return float(ordered[int(min(len(ordered) - 1, max(0, place)))])

        high = at(middle + step)
        error = (high - at(middle - step)) / (2 * SLACK) if math.isfinite(high) else math.inf
        return cls(at(middle), error, at(0.9 * len(ordered)), at(middle - math.sqrt(2) * step))

    def __str__(self) -> str:
        if not math.isfinite(self.median):
            return "more than half never"
        ninth = f"{self.ninth:,.0f}" if math.isfinite(self.ninth) else "later than looked"
        return f"{self.median:,.0f} ± {self.error:,.0f} ({ninth})"


class Line(NamedTuple):
    """A row of a table: what was measured, and whether what is claimed of it is met; None where nothing is."""

    cells: tuple[str, ...]
    claim: str = "none: for comparison"
    met: bool | None = None

    @property
    def named(self) -> str:
        return f"{' / '.join(self.cells)}: {self.claim}"


@dataclass
class Table:
    """Rows under `head`; the columns of the claim are added."""

    head: tuple[str, ...]
    lines: list[Line] = field(default_factory=list)
    note: str = ""

    def add(self, *cells: object, claim: str | None = None, met: bool | None = None) -> None:
        line = tuple(str(cell) for cell in cells)
        self.lines.append(Line(line, claim, met) if claim is not None else Line(line))

    def written(self) -> Iterable[str]:
        yield from (self.note, "") if self.note else ()
        head = (*self.head, "claim", "met")
        yield "| " + " | ".join(head) + " |"
        yield "|" + "---|" * len(head)
        for line in self.lines:
            yield "| " + " | ".join((*line.cells, line.claim, _met(line.met))) + " |"
        yield ""


@dataclass
class Section:
    """One part of the report. `left_out` names what could not be run, and why."""

    title: str
    about: str
    tables: list[Table] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def unmet(self) -> list[Line]:
        return [line for table in self.tables for line in table.lines if line.met is False]

    @property
    def claims(self) -> int:
        return sum(line.met is not None for table in self.tables for line in table.lines)

    def table(self, *head: str, note: str = "") -> Table:
        self.tables.append(Table(head, note=note))
        return self.tables[-1]

    def written(self) -> str:
        parts = [f"## {self.title}", "", self.about, ""]
        for words in self.left_out:
            parts += [f"**NOT RUN: {words}**", ""]
        for table in self.tables:
            parts += table.written()
        met = self.claims - len(self.unmet)
        parts += [f"{met} of {self.claims} claims met; {self.seconds:.0f} s.", ""]
        return "\n".join(parts)


def judged(sections: Sequence[Section]) -> list[str]:
    """For the head of a report: how many claims are met, and by name which are not and what was left out."""
    unmet = [line for section in sections for line in section.unmet]
    claims = sum(section.claims for section in sections)
    return [
        f"**{claims - len(unmet)} of {claims} claims met.**",
        "",
        *(f"- NOT MET: {line.named}" for line in unmet),
        *(f"- NOT RUN: {section.title}: {words}" for section in sections for words in section.left_out),
        "",
    ]


def conclude(report: str, sections: Sequence[Section], path: Path | None) -> int:
    """Write it (None: to the screen); the exit status, which is 1 where a claim is not met."""
    if path is None:
        print(report)
    else:
        path.write_text(report, encoding="utf-8")
        print(f"written to {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    unmet = [line for section in sections for line in section.unmet]
    for line in unmet:
        print(f"NOT MET: {line.named}", file=sys.stderr)
    return 1 if unmet else 0


def percent(rate: float, digits: int = 1) -> str:
    return f"{100 * rate:.{digits}f} %"


def _met(met: bool | None) -> str:
    return {None: "-", True: "met", False: "**NOT MET**"}[met]
