"""Which thresholds are in force, since when, and on what they rest, told from the policy revisions of a version."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rollout.domain.policy import Calibrated, Rules


@dataclass(frozen=True, slots=True)
class Thresholds:
    """
    The general threshold with the segments that do not fall under it.

    `since`: when the general threshold became what it is; `own`: segments that had a threshold of their own, or were
    closed, at any time since then. `closed`: since when each closed segment is; `reopened`: since when each segment
    is open again that was closed before.
    """

    general: float | None = None
    calibrated: Calibrated | None = None
    since: datetime | None = None
    own: frozenset[str] = frozenset()
    closed: Mapping[str, datetime] = field(default_factory=dict)
    reopened: Mapping[str, datetime] = field(default_factory=dict)


NO_THRESHOLDS = Thresholds()


def thresholds_of(revisions: Iterable[tuple[datetime, Rules]]) -> Thresholds:
    """From (written at, rules) of every revision, the oldest first."""
    found = NO_THRESHOLDS
    rules: Rules | None = None
    closed: dict[str, datetime] = {}
    reopened: dict[str, datetime] = {}
    since, own = None, frozenset[str]()
    for at, after in revisions:
        before, rules = rules, after
        if before is None or before.threshold != after.threshold:
            since, own = at, frozenset()
        own |= after.thresholds.keys()
        for segment in closed.keys() - after.closed:
            reopened[segment] = at
            del closed[segment]
        for segment in after.closed - closed.keys():
            closed[segment] = at
            reopened.pop(segment, None)
        found = Thresholds(after.threshold, after.calibrated, since, own, closed, reopened)
    return found
