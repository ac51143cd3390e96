"""
The lines of which the queue is made. A line is a part of the queue that one index keeps in turn, so its first cases
are found without looking at the others; whoever wants more than one line looks at the first of each.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, literal_column, or_

from kit.errors import Invalid, Place
from routing.reviews.tables import ReviewItem

# A literal, not a parameter: a plan made for any value could not use the indexes over what waits.
WAITING: ColumnElement[bool] = ReviewItem.state == literal_column("'waiting'")

shown_kind: ColumnElement[str] = func.coalesce(ReviewItem.shown_as, ReviewItem.kind)
"""What kind a reviewer is told it is."""

# Urgent first, then what is due first: the oldest, never the newest.
TURN = (ReviewItem.priority.desc(), ReviewItem.due_at, ReviewItem.id)

_PRIORITIES = (2, 1, 0)  # and whatever is above

Line = ColumnElement[bool]


def free(now: datetime) -> ColumnElement[bool]:
    """Waits, and nobody holds it."""
    return and_(WAITING, or_(ReviewItem.claimed_by.is_(None), ReviewItem.claimed_until < now))


@dataclass(frozen=True, slots=True)
class Narrow:
    """What part of the queue is meant; everything, where nothing is said."""

    agent: str | None = None
    segment: str | None = None  # of that agent
    kind: str | None = None  # review or audit, as it is shown
    urgent: bool = False
    due_before: datetime | None = None
    case_id: str | None = None

    def check(self) -> None:
        """Raise Invalid for what no index keeps in turn, or what means nothing; it says what to leave out."""
        if self.segment is not None and self.agent is None:
            raise _refused("a segment is one of an agent", "name the agent too")
        if self.segment is not None and self.kind is not None and self.case_id is None:
            raise _refused("the queue is not kept by segment and kind at once", "leave out the segment or the kind")


def _refused(problem: str, mend: str) -> Invalid:
    return Invalid(f"segment: {problem}; {mend}", places=[Place("segment", problem, mend)])


def lines(wanted: Narrow, levels: Collection[int], rollouts: Sequence[UUID]) -> list[Line]:
    """`rollouts`: of which something of the wanted kind waits; only asked for where a kind is wanted."""
    return [
        and_(ReviewItem.level == level, *place, *span)
        for level in levels
        for place in _places(wanted, rollouts)
        for span in _spans(wanted)
    ]


def _places(wanted: Narrow, rollouts: Sequence[UUID]) -> list[list[ColumnElement[bool]]]:
    agent = [ReviewItem.agent == wanted.agent] if wanted.agent is not None else []
    if wanted.segment is not None:
        agent.append(ReviewItem.segment == wanted.segment)
    if wanted.case_id is not None:
        case = [ReviewItem.case_id == wanted.case_id, *agent]
        return [[*case, shown_kind == wanted.kind] if wanted.kind is not None else case]
    if wanted.kind is not None:
        return [[shown_kind == wanted.kind, ReviewItem.rollout_id == rollout, *agent] for rollout in rollouts]
    return [agent]


def _spans(wanted: Narrow) -> list[list[ColumnElement[bool]]]:
    """Due before some time is the beginning of a line only within one priority."""
    if wanted.due_before is None or wanted.case_id is not None:
        due = [ReviewItem.due_at < wanted.due_before] if wanted.due_before is not None else []
        return [[*due, ReviewItem.priority > 0] if wanted.urgent else due]
    due = [ReviewItem.due_at < wanted.due_before]
    priorities = [priority for priority in _PRIORITIES if priority > 0 or not wanted.urgent]
    return [
        [ReviewItem.priority > max(_PRIORITIES), *due],
        *([ReviewItem.priority == priority, *due] for priority in priorities),
    ]
