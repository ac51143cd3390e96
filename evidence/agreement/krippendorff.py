"""
Krippendorff's alpha: agreement of any number of raters, who need not all have seen every item.

Alpha is 1 - (disagreement seen) / (disagreement expected if labels were dealt out by chance). An item with fewer than
two ratings says nothing about agreement and is left out whole.

Source: Krippendorff (2011), "Computing Krippendorff's alpha-reliability"; Krippendorff, Content Analysis, 4th ed.,
chapter 12. The interval resamples items, since the ratings of one item hang together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from evidence import binomial
from evidence.agreement.kappa import NO_PAIRS, NOTHING_RATED, ONE_CATEGORY, Coefficient
from evidence.agreement.tables import checked_ratings
from evidence.binomial import Floats, Interval, Ints
from evidence.logistic import checked_numbers

ROUNDS = 1_000
_CELLS_AT_ONCE = 2_000_000
"""Resampled weights held in memory at a time."""


class Scale(StrEnum):
    """What a difference between two categories means."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"


@dataclass(frozen=True, slots=True)
class AlphaInterval:
    """`interval` is `None` when alpha is not defined in too many resamples to tell; `undefined` counts those."""

    interval: Interval | None
    rounds: int
    undefined: int
    reason: str | None = None


def krippendorff_alpha(
    counts: ArrayLike, scale: Scale = Scale.NOMINAL, values: Sequence[float] | None = None
) -> Coefficient:
    """
    Alpha from a table of ratings, items by categories; the columns stand in their order for an ordinal scale.

    `values` are the numbers that the columns stand for, needed by an interval scale and by no other. `items` of the
    answer are those with two ratings or more; `observed` and `by_chance` are one minus the two disagreements on a
    nominal scale, and `None` on the others, where a disagreement has the unit of its scale.
    """
    table, scale, worth = _checked(counts, scale, values)
    pairable = table[table.sum(axis=1) > 1]
    if len(pairable) == 0:
        return Coefficient(None, None, None, 0, NO_PAIRS if table.any() else NOTHING_RATED)
    if np.count_nonzero(pairable.sum(axis=0)) == 1:
        return Coefficient(None, None, None, len(pairable), ONE_CATEGORY)
    coincidences = _coincidences(pairable).sum(axis=0)
    seen, expected = _disagreements(coincidences[None], scale, worth)
    alpha = float(1.0 - seen[0] / expected[0])
    if scale is not Scale.NOMINAL:
        return Coefficient(alpha, None, None, len(pairable))
    return Coefficient(alpha, float(1.0 - seen[0]), float(1.0 - expected[0]), len(pairable))


def alpha_interval(
    counts: ArrayLike,
    scale: Scale = Scale.NOMINAL,
    values: Sequence[float] | None = None,
    *,
    seed: int,
    confidence: float = 0.95,
    rounds: int = ROUNDS,
) -> AlphaInterval:
    """
    The interval that holds alpha in the middle `confidence` of `rounds` resamples of the items; same seed, same answer.

    For display: a bootstrap covers about as often as it says, not always. Resamples in which everybody says the same
    have no alpha; with more than one in twenty of those there is no interval, and the reason says so.
    """
    table, scale, worth = _checked(counts, scale, values)
    outside = (1.0 - binomial.checked_rate(confidence, "confidence")) / 2.0
    seed = binomial.checked_whole(seed, "seed")  # None would draw another interval each time
    if binomial.checked_whole(rounds, "rounds") == 0:
        raise ValueError("rounds must be at least 1")
    pairable = table[table.sum(axis=1) > 1]
    if len(pairable) == 0:
        return AlphaInterval(None, rounds, rounds, NO_PAIRS if table.any() else NOTHING_RATED)
    alphas = _resampled(pairable, scale, worth, seed, rounds)
    defined = alphas[~np.isnan(alphas)]
    undefined = rounds - len(defined)
    if undefined * 20 > rounds:
        return AlphaInterval(None, rounds, undefined, f"{undefined} of {rounds} resamples use one category only")
    lower, upper = np.quantile(defined, [outside, 1.0 - outside])
    return AlphaInterval(Interval(float(lower), float(upper)), rounds, undefined)


def _resampled(pairable: Ints, scale: Scale, worth: Floats, seed: int, rounds: int) -> Floats:
    """Alpha of each resample, NaN where undefined. Items with equal rows are drawn together: same law, less work."""
    kinds, times = np.unique(pairable, axis=0, return_counts=True)
    each = _coincidences(kinds)
    flat = each.reshape(len(kinds), -1)
    generator = np.random.default_rng(seed)
    alphas = np.full(rounds, np.nan)
    step = max(1, _CELLS_AT_ONCE // max(len(kinds), flat.shape[1]))
    for start in range(0, rounds, step):
        size = min(step, rounds - start)
        weights = generator.multinomial(len(pairable), times / len(pairable), size=size)
        drawn = (weights @ flat).reshape(size, *each.shape[1:])
        several = np.count_nonzero(drawn.sum(axis=2) > 0.0, axis=1) > 1
        if several.any():
            seen, expected = _disagreements(drawn[several], scale, worth)
            alphas[start : start + size][several] = 1.0 - seen / expected
    return alphas


def _coincidences(pairable: Ints) -> Floats:
    """For each item how often two of its ratings are (row, column), so that an item weighs its number of ratings."""
    raters = pairable.sum(axis=1)
    pairs = pairable[:, :, None] * pairable[:, None, :].astype(np.float64)
    diagonal = np.arange(pairable.shape[1])
    pairs[:, diagonal, diagonal] -= pairable
    return np.asarray(pairs / (raters - 1)[:, None, None])


def _disagreements(coincidences: Floats, scale: Scale, worth: Floats) -> tuple[Floats, Floats]:
    """Seen and expected disagreement of each matrix. Shapes (rounds, categories, categories) to two of (rounds,)."""
    margins = coincidences.sum(axis=2)
    total = margins.sum(axis=1)
    distance = _distances(margins, scale, worth)
    seen = (coincidences * distance).sum(axis=(1, 2)) / total
    by_chance = (margins[:, :, None] * margins[:, None, :] * distance).sum(axis=(1, 2)) / (total * (total - 1.0))
    return seen, by_chance


def _distances(margins: Floats, scale: Scale, worth: Floats) -> Floats:
    """Squared differences of categories. The ordinal one counts the ratings that lie between, half of either end."""
    categories = margins.shape[1]
    if scale is Scale.NOMINAL:
        return 1.0 - np.eye(categories)[None]
    if scale is Scale.INTERVAL:
        return np.asarray((worth[:, None] - worth[None, :])[None] ** 2)
    middle = np.cumsum(margins, axis=1) - margins / 2.0
    return np.asarray((middle[:, :, None] - middle[:, None, :]) ** 2)


def _checked(counts: ArrayLike, scale: Scale, values: Sequence[float] | None) -> tuple[Ints, Scale, Floats]:
    table = checked_ratings(counts)
    try:
        scale = Scale(scale)  # "nominal" is the nominal scale, and not one of the others
    except ValueError:
        raise ValueError(f"scale must be one of {', '.join(Scale)}, not {scale!r}") from None
    if (values is None) is (scale is Scale.INTERVAL):
        raise ValueError(f"values must be given for an interval scale and for no other, but the scale is {scale}")
    worth = checked_numbers([] if values is None else values, "values")
    if scale is Scale.INTERVAL:
        if worth.shape != (table.shape[1],):
            raise ValueError(f"values must be one finite number for each of {table.shape[1]} columns, not {values!r}")
        if len(np.unique(worth)) != len(worth):
            raise ValueError(f"values must differ from column to column, not {values!r}")
    return table, scale, worth
