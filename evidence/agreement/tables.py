"""
Who said what, counted: the tables that every coefficient of agreement starts from.

Items are rows and categories are columns, in an order that the caller declares. A category that nobody chose keeps
its column, for "nobody ever said reject" is part of what some coefficients ask about.
"""

from collections.abc import Hashable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evidence.binomial import Floats, Ints

Label: TypeAlias = Hashable

SKEWED = 0.9
"""Above this share of one category kappa and alpha say little, and AC1 is the one to read."""


def confusion(first: Sequence[Label], second: Sequence[Label], categories: Sequence[Label]) -> Ints:
    """
    How often the first rater said the row and the second the column. Shape (categories, categories).

    `first[i]` and `second[i]` are about the same item. Raises ValueError for a label that is not declared.
    """
    if len(first) != len(second):
        raise ValueError(f"first and second must be as long as each other, not {len(first)} and {len(second)}")
    position = _positions(categories)
    table = np.zeros((len(position), len(position)), dtype=np.int64)
    for item, (one, other) in enumerate(zip(first, second, strict=True)):
        table[_known(one, position, f"first[{item}]"), _known(other, position, f"second[{item}]")] += 1
    return table


def ratings(votes: Sequence[Sequence[Label | None]], categories: Sequence[Label]) -> Ints:
    """
    How many raters put each item into each category. Shape (items, categories).

    `votes[i]` holds the labels of item i, in any number and order; `None` is a vote that was not given.
    """
    position = _positions(categories)
    table = np.zeros((len(votes), len(position)), dtype=np.int64)
    for item, given in enumerate(votes):
        for vote in given:
            if vote is not None:
                table[item, _known(vote, position, f"votes[{item}]")] += 1
    return table


def majority(counts: ArrayLike) -> Floats:
    """
    Which category has the most votes; where k are level each gets 1/k. Shape (items, categories).

    So a tie between right and wrong counts as half right in any accuracy. A row of zeros: nobody voted, no majority.
    """
    table = checked_ratings(counts)
    most = table.max(axis=1, keepdims=True, initial=0)
    leading = (table == most) & (most > 0)
    level = np.maximum(leading.sum(axis=1, keepdims=True), 1)
    return np.asarray(leading / level, dtype=np.float64)


def is_skewed(counts: ArrayLike) -> bool:
    """Whether one category has more than `SKEWED` of all votes. Takes a table of ratings, not a confusion."""
    votes = checked_ratings(counts).sum(axis=0)
    return bool(votes.sum() > 0 and votes.max() > SKEWED * votes.sum())


def checked_ratings(counts: ArrayLike) -> Ints:
    """A table of whole, non-negative counts, items by categories. Raises ValueError with what is wrong."""
    return _whole_table(counts, "counts")


def checked_confusion(table: ArrayLike) -> Ints:
    """A square table of whole, non-negative counts."""
    checked = _whole_table(table, "table")
    if checked.shape[0] != checked.shape[1]:
        raise ValueError(f"table must be square, not {checked.shape[0]} by {checked.shape[1]}")
    return checked


def _whole_table(given: ArrayLike, name: str) -> Ints:
    table: NDArray[np.generic] = np.asarray(given)
    if table.ndim != 2 or table.shape[1] == 0:  # noqa: PLR2004 - rows and columns
        raise ValueError(f"{name} must have rows and at least one column, not the shape {table.shape}")
    if table.size == 0:
        return np.zeros(table.shape, dtype=np.int64)
    if table.dtype.kind not in "iu":
        raise ValueError(f"{name} must hold whole numbers, not {table.dtype}")
    if int(table.min()) < 0:
        raise ValueError(f"{name} must not hold negative counts, but holds {table.min()}")
    return table.astype(np.int64)


def _positions(categories: Sequence[Label]) -> dict[Label, int]:
    position = {category: place for place, category in enumerate(categories)}
    if not position or len(position) != len(categories):
        raise ValueError(f"categories must be one or more, each once, not {list(categories)!r}")
    return position


def _known(label: Label, position: dict[Label, int], place: str) -> int:
    try:
        return position[label]
    except (KeyError, TypeError):  # a list is no label
        raise ValueError(f"{place} must be one of {list(position)!r}, not {label!r}") from None
