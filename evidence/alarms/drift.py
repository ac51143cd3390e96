"""
Says whether the cases that come in are still of the kind that the agent was calibrated on, one attribute at a time.

The population stability index is the usual number for it, and "above 0.1" or "0.25" the usual alarm; but two windows
of a hundred cases from the very same population lie at 0.1 by chance alone, and two of a million may differ plainly at
0.01. Without a change the index is about (1/n + 1/m) times a chi-square variable with one degree of freedom less than
there are categories (Yurdakul, Naranjo 2020, Journal of Risk Model Validation 14), so the level of the alarm follows
from the sizes of the windows and the false alarms one is ready to bear.

Each comparison is of windows that are over. Repeated every week it raises, over a year, no more false alarms on average
than were allowed for, since expectations add up whether or not weeks and attributes depend on each other.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
import scipy
from numpy.typing import NDArray

from evidence import binomial
from evidence.binomial import Interval, checked_counts, checked_rate, checked_whole

Floats: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = Mapping[str, int]

SMALLEST_CELL = 20.0
"""
Cases to be expected of a category in the smaller window; rarer ones are counted together as the rest.

At 5, the usual number, the index of many small categories raises two to five times the false alarms it should.
"""

WEEKS_A_YEAR = 52


class Drift(NamedTuple):
    """One attribute in two windows. Where nothing can be compared `stability`, `level` and `p_value` are None."""

    stability: float | None
    """The population stability index over the compared categories; 0 when the shares are the same."""
    level: float | None
    """The stability index that raises the alarm, for windows of these sizes."""
    p_value: float | None
    alarmed: bool
    categories: int
    """Compared, the rest counting as one."""
    unseen: int
    """Cases of the new window whose category the calibration window never had."""
    reason: str
    """Why nothing can be compared; empty otherwise."""


class WeekAgainstWeek(NamedTuple):
    """A rate in two finished weeks, each with its exact two-sided 95 % interval, and whether they differ."""

    before: Interval
    now: Interval
    p_value: float
    level: float
    changed: bool


def level_of_one(false_alarms: float, comparisons: int) -> float:
    """The level of each of `comparisons` tests of which, together, `false_alarms` (below 1) are to be expected."""
    checked_rate(false_alarms, "false_alarms")
    comparisons = checked_whole(comparisons, "comparisons")
    if not comparisons:
        raise ValueError("comparisons must be at least 1")
    return false_alarms / comparisons


def drift(calibrated: Counts, now: Counts, level: float) -> Drift:
    """
    Compare the counts of an attribute's categories now with those of the calibration window, at one test of `level`.

    Categories too rare to say something alone are put together by their cases in both windows, which tells nothing
    about the difference; a category never seen before takes part like any other, so a new kind of case that is
    frequent raises the alarm. Both windows must be over, and hold each case once.
    """
    level = checked_rate(level, "level")
    names = sorted(set(calibrated) | set(now))
    before = [checked_whole(calibrated.get(name, 0), f"calibrated[{name!r}]") for name in names]
    after = [checked_whole(now.get(name, 0), f"now[{name!r}]") for name in names]
    unseen = sum(new for old, new in zip(before, after, strict=True) if not old)
    if not sum(before) or not sum(after):
        return Drift(None, None, None, alarmed=False, categories=0, unseen=unseen, reason="a window holds no case")
    cells = _cells(np.array([before, after], dtype=np.float64))
    categories = cells.shape[1]
    if categories < 2:  # noqa: PLR2004 - one category always has a share of 100 %
        reason = "fewer than two categories are frequent enough to compare"
        return Drift(None, None, None, alarmed=False, categories=categories, unseen=unseen, reason=reason)
    index = _stability_index(cells)
    scale = float(np.sum(1.0 / cells.sum(axis=1)))
    alarm = scale * float(scipy.stats.chi2.isf(level, categories - 1))
    p_value = float(scipy.stats.chi2.sf(index / scale, categories - 1))
    return Drift(index, alarm, p_value, alarmed=index >= alarm, categories=categories, unseen=unseen, reason="")


def week_against_week(
    before: tuple[int, int], now: tuple[int, int], *, false_alarms_per_year: float = 0.1, comparisons_per_week: int = 1
) -> WeekAgainstWeek:
    """
    Compare (bad, cases) of two weeks that are over, by Fisher's exact two-sided test.

    To be looked at as often as one likes, for finished weeks do not change; an unfinished week must not be put in.
    The level of one test is `false_alarms_per_year` / (52 * `comparisons_per_week`): so many false alarms at most are
    to be expected in a year although every week is used twice. It is blunt beside a detector, and there to be seen
    on a page: what needs to be noticed soon is the business of `detector`. An empty week never differs.
    """
    before, now = checked_counts(*before), checked_counts(*now)
    level = level_of_one(false_alarms_per_year, WEEKS_A_YEAR * checked_whole(comparisons_per_week, "comparisons"))
    table = [[bad, cases - bad] for bad, cases in (before, now)]
    p_value = float(scipy.stats.fisher_exact(table).pvalue) if before[1] and now[1] else 1.0
    return WeekAgainstWeek(binomial.interval(*before), binomial.interval(*now), p_value, level, p_value <= level)


def _cells(counts: Floats) -> Floats:
    """The counts by window and category, shape (2, categories), the rare categories in one last column."""
    together = counts.sum(axis=0)
    enough = SMALLEST_CELL * float(together.sum()) / float(counts.sum(axis=1).min())
    order = np.argsort(-together, kind="stable")
    frequent = order[together[order] >= enough]
    rare = order[len(frequent) :]
    rest = counts[:, rare].sum(axis=1)
    if not rest.any():
        return np.asarray(counts[:, frequent])
    if float(rest.sum()) < enough and len(frequent):  # too few even together: they join the rarest of the frequent
        rest = rest + counts[:, frequent[-1]]
        frequent = frequent[:-1]
    return np.column_stack([counts[:, frequent], rest])


def _stability_index(cells: Floats) -> float:
    """Half a case stands in for none: an empty cell is rare, and not infinitely surprising."""
    filled = np.where(cells == 0.0, 0.5, cells)
    shares = filled / filled.sum(axis=1, keepdims=True)
    return math.fsum((shares[1] - shares[0]) * np.log(shares[1] / shares[0]))
