"""
Agreement beyond chance of raters who each saw the same items: Cohen, Fleiss, and Gwet for skewed classes.

A coefficient that is not defined is `None` with the reason, and never 0 or 1: when everybody always says the same,
agreement by chance is complete too, and nothing is left over to measure.

Sources: Cohen (1960), Educ. Psychol. Meas. 20; Fleiss, Cohen, Everitt (1969), Psychol. Bull. 72, for the standard
errors; Fleiss (1971), Psychol. Bull. 76; Gwet (2008), Br. J. Math. Stat. Psychol. 61.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from evidence import binomial
from evidence.agreement.tables import checked_confusion, checked_ratings
from evidence.binomial import Floats, Ints

NOTHING_RATED = "nothing was rated"
NO_PAIRS = "no item has two ratings"
ONE_CATEGORY = "only one category was used, so agreement by chance is complete"
ONE_DECLARED = "only one category is declared, so there was nothing to choose"


class Share(NamedTuple):
    """`part` of `whole`, as a share (`None` of nothing) with its two-sided bounds."""

    part: int
    whole: int
    share: float | None
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Coefficient:
    """`value` is 1 for full agreement and 0 for chance; `None` when undefined, and then `reason` says why."""

    value: float | None
    observed: float | None
    by_chance: float | None
    items: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Kappa(Coefficient):
    """
    Cohen's kappa with two large-sample standard errors.

    `standard_error` is for an interval around the value, `standard_error_by_chance` for a test of "no more than
    chance"; both `None` when the value is.
    """

    standard_error: float | None = None
    standard_error_by_chance: float | None = None


def percent_agreement(agreed: int, items: int, confidence: float = 0.95) -> Share:
    """How often two raters said the same, with the exact interval for one look. Of no items: between 0 and 1."""
    agreed, items = binomial.checked_counts(agreed, items)
    lower, upper = binomial.interval(agreed, items, confidence)
    return Share(agreed, items, agreed / items if items else None, lower, upper)


def cohen_kappa(table: ArrayLike) -> Kappa:
    """Cohen's kappa of two raters, from how often they said row and column. `table` is square, whole counts."""
    counts = checked_confusion(table)
    items = int(counts.sum())
    if items == 0:
        return Kappa(None, None, None, 0, NOTHING_RATED)
    joint = counts / items
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    observed, by_chance = float(np.trace(joint)), float(rows @ columns)
    if np.count_nonzero(counts.sum(axis=1) + counts.sum(axis=0)) == 1:  # exact, where 1 - by_chance may be 1e-16
        return Kappa(None, observed, by_chance, items, ONE_CATEGORY)
    kappa = (observed - by_chance) / (1.0 - by_chance)
    around, none = _standard_errors(joint, kappa, items)
    return Kappa(kappa, observed, by_chance, items, None, around, none)


def fleiss_kappa(counts: ArrayLike) -> Coefficient:
    """
    Fleiss' kappa from a table of ratings, items by categories, with as many ratings for every item.

    The raters may differ from item to item. Raises ValueError when an item has more ratings than another; for those
    there is Krippendorff's alpha.
    """
    table = checked_ratings(counts)
    per_item = table.sum(axis=1)
    if len(table) == 0 or per_item.max() == 0:
        return Coefficient(None, None, None, 0, NOTHING_RATED)
    raters, items = int(per_item[0]), len(table)
    if np.any(per_item != raters):
        raise ValueError(f"counts must have as many ratings for every item, not {per_item.min()} to {per_item.max()}")
    if raters == 1:
        return Coefficient(None, None, None, items, NO_PAIRS)
    observed = float(_agreeing_pairs(table).mean())
    shares = table.sum(axis=0) / table.sum()
    by_chance = float(shares @ shares)
    if np.count_nonzero(table.sum(axis=0)) == 1:
        return Coefficient(None, observed, by_chance, items, ONE_CATEGORY)
    return Coefficient((observed - by_chance) / (1.0 - by_chance), observed, by_chance, items)


def gwet_ac1(counts: ArrayLike) -> Coefficient:
    """
    Gwet's AC1 from a table of ratings, items by declared categories; items may differ in their number of ratings.

    The one to read when nearly everything falls into one category: there kappa is near zero however well people
    agree. Items with one rating tell how often a category is chosen, and nothing about agreement.
    """
    table = checked_ratings(counts)
    table = table[table.sum(axis=1) > 0]
    paired = table[table.sum(axis=1) > 1]
    items, categories = len(paired), table.shape[1]
    if items == 0:
        return Coefficient(None, None, None, 0, NO_PAIRS if len(table) else NOTHING_RATED)
    observed = float(_agreeing_pairs(paired).mean())
    if categories == 1:
        return Coefficient(None, observed, None, items, ONE_DECLARED)
    chosen = (table / table.sum(axis=1, keepdims=True)).mean(axis=0)
    by_chance = float((chosen * (1.0 - chosen)).sum() / (categories - 1))
    return Coefficient((observed - by_chance) / (1.0 - by_chance), observed, by_chance, items)


def _agreeing_pairs(table: Ints) -> Floats:
    """For each item the share of pairs of its ratings that say the same."""
    votes = table.astype(np.float64)  # whole numbers would overflow at three thousand million of them
    raters = votes.sum(axis=1)
    return np.asarray((votes * (votes - 1.0)).sum(axis=1) / (raters * (raters - 1.0)))


def _standard_errors(joint: Floats, kappa: float, items: int) -> tuple[float, float]:
    """Around kappa and around chance: equations 13 and 14 of Fleiss, Cohen and Everitt, as shares."""
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    by_chance = float(rows @ columns)
    other = columns[:, None] + rows[None, :]  # of cell (i, j): what the second rater says of i plus the first of j
    diagonal = np.diag(joint)
    same = float(diagonal @ (1.0 - (rows + columns) * (1.0 - kappa)) ** 2)
    apart = float((1.0 - kappa) ** 2 * ((joint * other**2).sum() - diagonal @ (rows + columns) ** 2))
    around = same + apart - (kappa - by_chance * (1.0 - kappa)) ** 2
    none = by_chance + by_chance**2 - float((rows * columns) @ (rows + columns))
    scale = (1.0 - by_chance) * math.sqrt(items)
    return math.sqrt(max(around, 0.0)) / scale, math.sqrt(max(none, 0.0)) / scale
