"""
Counts decisions by what kind of case they were, once each: when settling counts a decision for the first time.

The counts say what came in, not how well it was done, so they never move again; a later attempt of a case is no new
case. What a caller sends has no bounds, but what is kept does: a few attributes with a few values each, and the rest
together.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from routing.cases.tables import Counted
from routing.drift import queries

MOST_ATTRIBUTES = 20
MOST_VALUES = 50
OTHER = "(other)"
NONE = "(none)"
OURS = ("segment", "confidence")
"""Counted like attributes of the case. Attributes that a caller calls so are told apart by a word before the name."""

_LONGEST = 64
_Pair = tuple[str, str]


def count(session: Session, rows: Sequence[Counted]) -> None:
    """Count those of these decisions that settling has not counted yet."""
    new: dict[UUID, Counter[tuple[str, str, date]]] = defaultdict(Counter)
    for row in rows:
        if row.rollout_id is not None and row.counted_as is None and row.attempt == 1:
            day = row.decided_at.date()
            new[row.rollout_id].update((attribute, value, day) for attribute, value in kinds(row))
    added = []
    places = _places(session, new)
    for rollout_id, counts in new.items():
        place = places[rollout_id]
        cells: Counter[tuple[str, str, date]] = Counter()
        for (attribute, value, day), cases in counts.items():
            if (kept := place.of(attribute, value)) is not None:
                cells[attribute, kept, day] += cases
        added += [
            {"rollout_id": rollout_id, "attribute": attribute, "value": value, "day": day, "cases": cases}
            for (attribute, value, day), cases in cells.items()
        ]
    if added:  # in one order, so that two who count do not wait for each other in a circle
        queries.add(
            session, sorted(added, key=lambda row: (row["rollout_id"], row["attribute"], row["value"], row["day"]))
        )


def kinds(row: Counted) -> Iterator[_Pair]:
    """(attribute, value) of one case; what is no plain value is left out."""
    yield "segment", row.segment[:_LONGEST] or NONE
    yield "confidence", band(row.confidence)
    for name, value in sorted((row.attributes or {}).items()):
        text = _text(value)
        if text is not None and name:
            yield (f"attribute {name}" if name in OURS else name)[:_LONGEST], text


def band(confidence: float | None) -> str:
    """The tenth in which a confidence lies; 1 lies in the last."""
    if confidence is None:
        return NONE
    tenth = min(int(confidence * 10 + 1e-9), 9)
    return f"{tenth / 10:.1f} to {(tenth + 1) / 10:.1f}"


def _text(value: Any) -> str | None:
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, int | float):
        return f"{value:g}"
    return value[:_LONGEST] or NONE if isinstance(value, str) else None


def _places(session: Session, new: Mapping[UUID, Counter[tuple[str, str, date]]]) -> dict[UUID, "_Places"]:
    """One look for all versions, since a round may bring cases of hundreds; most bring nothing new to any."""
    today = queries.known(session, [(rollout_id, *key) for rollout_id, counts in new.items() for key in counts])
    unseen = {
        (rollout_id, attribute, value)
        for rollout_id, counts in new.items()
        for attribute, value, _ in counts
        if (attribute, value) not in today[rollout_id]
    }
    before = queries.known_on_any_day(session, sorted(unseen))
    names: dict[UUID, set[str]] = defaultdict(set)
    for rollout_id, name, value in unseen:
        if (name, value) not in before[rollout_id]:
            names[rollout_id].add(name)
    taken = queries.values_of(session, [(rollout_id, name) for rollout_id, some in names.items() for name in some])
    return {
        rollout_id: _Places(
            session, rollout_id, today[rollout_id] | before[rollout_id], names[rollout_id], taken[rollout_id]
        )
        for rollout_id in new
    }


class _Places:
    """Where the values of one version are counted: under their own name while there is room, else as the rest."""

    def __init__(
        self, session: Session, rollout_id: UUID, known: set[_Pair], new: set[str], values: dict[str, int]
    ) -> None:
        self._known, self._values = known, values
        self._attributes = {attribute for attribute, _ in known} | values.keys()
        # Most rounds bring nothing new, and then nobody asks how much there is.
        if new - values.keys():
            self._attributes = queries.attributes_of(session, rollout_id)

    def of(self, attribute: str, value: str) -> str | None:
        """The value it is counted as; None where the attribute is one too many."""
        if (attribute, value) in self._known:
            return value
        if attribute not in self._attributes:
            callers = len(self._attributes - set(OURS))
            if attribute not in OURS and callers >= MOST_ATTRIBUTES:
                return None
            self._attributes.add(attribute)
        if self._values.get(attribute, 0) >= MOST_VALUES:
            return OTHER
        self._values[attribute] = self._values.get(attribute, 0) + 1
        self._known.add((attribute, value))
        return value
