"""
Which labelled cases a threshold may rest on: a sample in which every confidence has the same chance to be.

In shadow and supervised production a person answers every case, so all of them count. Where the agent goes alone,
only the audited cases have a verdict above the threshold, while below it all have one; there the same keyed draw
that picks audits picks from the reviewed cases too, so that both sides are thinned alike.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from uuid import UUID

from routing.cases.tables import AUTOMATED
from routing.domain.sampling import audit_position
from routing.thresholds.queries import Labelled


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


def first(rows: Iterable[Labelled], labels: int, segment: str = "") -> list[Labelled] | None:
    """The first so many of the sample, or of one segment of it; None while there are not as many."""
    wanted = (row for row in rows if not segment or row.segment == segment)
    found = list(islice(wanted, labels))
    return found if len(found) == labels else None
