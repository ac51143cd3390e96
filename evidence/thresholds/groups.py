"""
Labelled cases in the order in which a threshold would accept them: the most confident first, ties as one group.

A threshold accepts every case that is at least so confident, so cases with the same confidence are accepted
together or not at all: all procedures of this package see groups, never single cases of a tie.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evidence.binomial import Floats, Ints, checked_counts


class Tie(NamedTuple):
    """The largest group of equal confidence: `cases` of all the labelled ones share `confidence`."""

    confidence: float
    cases: int
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """
    Groups of equal confidence, the most confident first; all arrays of shape (groups,), none of them to be changed.

    `accepted[g]` and `errors[g]` count the cases, and the wrong ones among them, with confidence `confidence[g]` or
    more: what a threshold there would accept.
    """

    confidence: Floats
    accepted: Ints
    errors: Ints

    def __len__(self) -> int:
        return len(self.confidence)

    @property
    def labels(self) -> int:
        """How many labelled cases there are."""
        return int(self.accepted[-1]) if len(self) else 0

    @property
    def cases(self) -> Ints:
        """Cases of each group by itself."""
        return np.diff(self.accepted, prepend=0)

    @property
    def wrong(self) -> Ints:
        """Wrong cases of each group by itself."""
        return np.diff(self.errors, prepend=0)

    def first(self, accepted: int) -> int:
        """The first group with which at least so many cases are accepted; the number of groups if there is none."""
        return int(np.searchsorted(self.accepted, accepted))

    def largest_tie(self) -> Tie | None:
        """The largest group, the most confident of equally large ones; `None` without cases."""
        if not len(self):
            return None
        largest = int(np.argmax(self.cases))
        cases = int(self.cases[largest])
        return Tie(float(self.confidence[largest]), cases, cases / self.labels)


def group(confidences: Sequence[float] | Floats, errors: Sequence[int] | Sequence[bool] | Ints) -> Groups:
    """
    Group single cases: a confidence in [0, 1] for each, and 1 (or true) where the output was wrong, both of shape (n,).

    Raises ValueError with the place of the first case that has no such confidence or no such error.
    """
    sure, wrong = checked_confidences(confidences, "confidences"), checked_errors(errors)
    if len(sure) != len(wrong):
        raise ValueError(f"confidences and errors must be of equal length, but {len(sure)} is not {len(wrong)}")
    return _summed(sure, np.ones(len(sure), dtype=np.int64), wrong)


def group_counts(triples: Iterable[Sequence[Any]]) -> Groups:
    """Group cases that are counted already: (confidence, cases, errors), in any order, equal confidences added up."""
    rows = [tuple(triple) for triple in triples]
    for place, row in enumerate(rows):
        if len(row) != 3:  # noqa: PLR2004 - a triple
            raise ValueError(f"triples[{place}] must be (confidence, cases, errors), not {row!r}")
        try:
            checked_counts(row[2], row[1])
        except ValueError as nonsense:
            raise ValueError(f"triples[{place}]: {nonsense} (bad means errors)") from None
    sure = checked_confidences([row[0] for row in rows], "triples")
    cases = np.array([row[1] for row in rows], dtype=np.int64)
    wrong = np.array([row[2] for row in rows], dtype=np.int64)
    some = cases > 0
    return _summed(sure[some], cases[some], wrong[some])


def checked_confidences(confidences: Sequence[float] | Floats, name: str) -> Floats:
    """Confidences as floats in [0, 1], shape (n,). Raises ValueError with the place of the first that is none."""
    array: NDArray[Any]
    if isinstance(confidences, np.ndarray):
        array = confidences
    else:
        _refuse_other_types(confidences, name)
        array = np.array(confidences, dtype=np.float64)
    if array.ndim != 1 or array.dtype.kind not in "fiu":
        raise ValueError(f"{name} must be numbers in one dimension, not {array.dtype} of shape {array.shape}")
    sure = array.astype(np.float64)
    outside = ~((sure >= 0.0) & (sure <= 1.0))  # NaN lands here too
    if outside.any():
        place = int(np.argmax(outside))
        raise ValueError(f"{name}[{place}] must be a confidence between 0 and 1, not {array[place].item()!r}")
    return sure


def _refuse_other_types(values: Sequence[Any], name: str) -> None:
    odd = {kind for kind in set(map(type, values)) if not _is_number(kind)}
    if odd:
        place, value = next((place, value) for place, value in enumerate(values) if type(value) in odd)
        raise ValueError(f"{name}[{place}] must be a confidence between 0 and 1, not {value!r}")


def _is_number(kind: type) -> bool:
    return issubclass(kind, (int, float, np.integer, np.floating)) and kind is not bool


def checked_errors(errors: Sequence[int] | Sequence[bool] | Ints) -> Ints:
    """Wrong or not as 1 and 0, shape (n,). Raises ValueError with the place of the first that is neither."""
    if not isinstance(errors, np.ndarray):
        whole = (int, np.integer, np.bool_)
        odd = {kind for kind in set(map(type, errors)) if not issubclass(kind, whole)}
        if odd:
            place, value = next((place, value) for place, value in enumerate(errors) if type(value) in odd)
            raise ValueError(f"errors[{place}] must be 0 or 1, not {value!r}")
    array = np.asarray(errors) if len(errors) else np.empty(0, dtype=np.int64)
    if array.ndim != 1 or array.dtype.kind not in "biu":
        raise ValueError(f"errors must be 0 or 1 in one dimension, not {array.dtype} of shape {array.shape}")
    outside = (array != 0) & (array != 1)
    if outside.any():
        place = int(np.argmax(outside))
        raise ValueError(f"errors[{place}] must be 0 or 1, not {array[place].item()!r}")
    return array.astype(np.int64)


def _summed(sure: Floats, cases: Ints, wrong: Ints) -> Groups:
    """Sums are over whole numbers, so the order in which the cases came leaves no trace."""
    order = np.argsort(-sure)
    sure, cases, wrong = sure[order], np.cumsum(cases[order]), np.cumsum(wrong[order])
    last = np.append(sure[1:] != sure[:-1], True) if len(sure) else np.empty(0, dtype=np.bool_)
    return Groups(sure[last], cases[last].astype(np.int64), wrong[last].astype(np.int64))
