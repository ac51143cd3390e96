"""
Which labelled cases a threshold may rest on: a sample in which every confidence has the same chance to be.

In shadow and supervised production a person answers every case, so all of them count. Where the agent goes alone,
only the audited cases have a verdict above the threshold, while below it all have one; there the same keyed draw
that picks audits picks from the reviewed cases too, so that both sides are thinned alike.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import UUID

from sqlalchemy.orm import Session

from routing.cases.tables import AUTOMATED
from routing.domain.sampling import audit_position
from routing.thresholds import queries
from routing.thresholds.queries import Labelled, Place


def uniform(
    rows: Iterable[Labelled], rates: Mapping[int, float], secret: bytes, rollout_id: UUID
) -> Iterator[Labelled]:
    """The rows that belong to the sample, in their order. `rates`: the audit rate of each policy revision."""

    def belongs(row: Labelled) -> bool:
        if row.phase not in AUTOMATED or row.lane == "audit":
            return True
        return audit_position(secret, rollout_id, row.case_id) < rates.get(row.policy_revision, 0.0)

    return filter(belongs, rows)


def is_wrong(row: Labelled) -> bool:
    """A settled case that nobody has ruled on counts as wrong: silence must not lower a threshold."""
    return row.counted_as != "agree"


@dataclass(frozen=True, slots=True)
class Labels:
    """The settled labels of a version, ready to be taken in their order."""

    session: Session
    rollout_id: UUID
    before: datetime
    secret: bytes
    rates: Mapping[int, float]  # the audit rate of each policy revision

    def take(self, count: int, *, segment: str = "", after: Place | None = None) -> list[Labelled] | None:
        """The next so many of the sample, or of one segment of it; None while there are not as many."""
        rows = queries.labelled(self.session, self.rollout_id, self.before, after)
        wanted = (
            row
            for row in uniform(rows, self.rates, self.secret, self.rollout_id)
            if not segment or row.segment == segment
        )
        found = list(islice(wanted, count))
        return found if len(found) == count else None
