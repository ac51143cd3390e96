"""
The lines of which the queue is made. A line is a part of the queue that one index keeps in turn, so its first cases
are found without looking at the others; whoever wants more than one line looks at the first of each.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, and_, false, func, literal_column, or_, tuple_

from kit.errors import Invalid, Place
from routing.domain.reach import Limit, Reach
from routing.reviews.tables import ReviewItem

# A literal, not a parameter: a plan made for any value could not use the indexes over what waits.
WAITING: ColumnElement[bool] = ReviewItem.state == literal_column("'waiting'")

shown_kind: ColumnElement[str] = func.coalesce(ReviewItem.shown_as, ReviewItem.kind)
"""What kind a reviewer is told it is."""

# Urgent first, then what is due first: the oldest, never the newest.
TURN = (ReviewItem.priority.desc(), ReviewItem.due_at, ReviewItem.id)


class Spot(NamedTuple):
    """Where an item stands in turn."""

    priority: int
    due_at: datetime
    id: UUID


def parts_beyond(spot: Spot, *, back: bool) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Two parts, each of which an index keeps in turn: of the same priority, and of the others."""
    place, here = tuple_(ReviewItem.due_at, ReviewItem.id), (spot.due_at, spot.id)
    same = ReviewItem.priority == spot.priority
    if back:
        return and_(same, place < here), ReviewItem.priority > spot.priority
    return and_(same, place > here), ReviewItem.priority < spot.priority


def in_turn(priority: Any, due_at: Any, item_id: Any, *, back: bool) -> tuple[Any, ...]:
    """As `TURN` has it, or from its end."""
    return (priority, due_at.desc(), item_id.desc()) if back else (priority.desc(), due_at, item_id)


_PRIORITIES = (2, 1, 0)
_APART = (ReviewItem.priority > max(_PRIORITIES), *(ReviewItem.priority == one for one in _PRIORITIES))
"""The urgent ones first, the ordinary ones last; within each of these what is due first comes first."""

_SEGMENTS = 200  # of one agent; where more wait, they are read past instead of one by one

Line = ColumnElement[bool]
Conditions = tuple[ColumnElement[bool], ...]


def free(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """Waits, and nobody holds it."""
    return and_(WAITING, or_(ReviewItem.claimed_by.is_(None), ReviewItem.claimed_until < now))


HELD: ColumnElement[bool] = and_(WAITING, ReviewItem.claimed_by.is_not(None))
"""Somebody has or had it on their desk; word for word as the index over those few has it."""


@dataclass(frozen=True, slots=True)
class Narrow:
    """What part of the queue is meant; everything, where nothing is said."""

    agent: str | None = None
    segment: str | None = None  # of that agent
    kind: str | None = None  # as it is shown
    level: int | None = None  # the line: 2 is what was escalated
    urgent: bool = False
    due_before: datetime | None = None
    case_id: str | None = None

    def check(self) -> None:
        """Raise Invalid for what no index keeps in turn, or what means nothing; it says what to leave out."""
        if self.segment is not None and self.agent is None:
            raise _refused("a segment is one of an agent", "name the agent too")
        if self.segment is not None and self.kind is not None and self.case_id is None:
            raise _refused("the queue is not kept by segment and kind at once", "leave out the segment or the kind")

    def takes(self, item: ReviewItem) -> bool:
        """Whether an item is of this part of the queue; of a few that are known already."""
        wanted = (
            (self.agent, item.agent), (self.segment, item.segment), (self.kind, item.shown_kind),
            (self.level, item.level), (self.case_id, item.case_id),
        )  # fmt: skip
        in_time = self.due_before is None or item.due_at < self.due_before
        return all(one in {None, own} for one, own in wanted) and in_time and (item.priority > 0 or not self.urgent)


WHOLE = Narrow()


def _refused(problem: str, mend: str) -> Invalid:
    return Invalid(f"segment: {problem}; {mend}", places=[Place("segment", problem, mend)])


@dataclass(frozen=True, slots=True)
class Known:
    """What has to be known of the queue to say which lines it has; empty where nobody needs it."""

    rollouts: Sequence[UUID] = ()  # of which something of the wanted kind waits
    agents: Sequence[str] = ()
    segments: Mapping[str, Sequence[str]] = field(default_factory=dict)  # that wait, of agents of which some are closed


def lines(wanted: Narrow, reach: Reach, known: Known) -> list[Line]:
    return [
        _line(level, place, span)
        for level in reach.levels
        if wanted.level in {None, level}
        for place in _places(wanted, reach, level, known)
        for span in _spans(wanted)
    ]


def _line(level: int, place: "_Place", span: Conditions) -> Line:
    whole = _whole(level, place.agent, place.segment, place.limits)
    if place.rollout is not None or place.urgent:
        whole = _part_of(whole, place.kind, place.rollout, place.urgent)
    return and_(whole, *place.more, *span) if place.more or span else whole


@lru_cache(maxsize=1024)
def _whole(level: int, agent: str | None, segment: str | None, limits: tuple[Limit, ...]) -> Line:
    """What claims read: the same object for the same line, so that a statement which reads it is made once."""
    return and_(ReviewItem.level == level, *of_agent(agent, segment), *_within(limits))


@lru_cache(maxsize=256)
def _part_of(whole: Line, kind: str | None, rollout: UUID | None, urgent: bool) -> Line:
    """One kind of it, or what is urgent in it: kept apart, so that these put out none that most claims read."""
    of_kind = (shown_kind == kind, ReviewItem.rollout_id == rollout) if rollout is not None else ()
    return and_(whole, *of_kind, *((ReviewItem.priority > literal_column("0"),) if urgent else ()))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the queue: of all, where nothing is named; `more` is made anew each time."""

    agent: str | None
    segment: str | None = None
    limits: tuple[Limit, ...] = ()
    kind: str | None = None  # with the version that it is kept by
    rollout: UUID | None = None
    urgent: bool = False
    more: Conditions = ()


def _places(wanted: Narrow, reach: Reach, level: int, known: Known) -> list[_Place]:
    limits = reach.of(level)
    urgent = wanted.urgent and wanted.due_before is None and wanted.case_id is None  # else its span says it
    place = _Place(wanted.agent, wanted.segment, tuple(limits.values()), urgent=urgent)
    if wanted.case_id is not None:
        kind = (shown_kind == wanted.kind,) if wanted.kind is not None else ()
        return [replace(place, more=(ReviewItem.case_id == wanted.case_id, *kind))]
    if wanted.segment is not None and wanted.agent is not None:
        worked = reach.allows(level, wanted.agent, wanted.segment)
        return [replace(place, limits=())] if worked else []
    if wanted.kind is not None:
        return [replace(place, kind=wanted.kind, rollout=rollout) for rollout in known.rollouts]
    if not limits or wanted.segment is not None:
        return [place]
    agents = [wanted.agent] if wanted.agent is not None else known.agents
    return [replace(one, urgent=urgent) for agent in agents for one in _of_limited(agent, limits.get(agent), known)]


@lru_cache(maxsize=1024)
def of_agent(agent: str | None, segment: str | None) -> Conditions:
    """Of all, where nothing is named."""
    place = () if agent is None else (ReviewItem.agent == agent,)
    return place if segment is None else (*place, ReviewItem.segment == segment)


def _of_limited(agent: str, limit: Limit | None, known: Known) -> list[_Place]:
    """An agent's cases as one line, or one for each segment."""
    if limit is None:
        return [_Place(agent)]
    if limit.all_but and len(known.segments[agent]) > _SEGMENTS:
        return [_Place(agent, limits=(limit,))]
    segments = known.segments[agent] if limit.all_but else sorted(limit.segments)
    return [_Place(agent, segment) for segment in segments if limit.allows(segment)]


def _within(limits: Iterable[Limit]) -> list[ColumnElement[bool]]:
    """The limits as conditions, for lines that are read past what is left out."""
    found = []
    for limit in limits:
        named = ReviewItem.segment.in_(sorted(limit.segments))
        found.append(or_(ReviewItem.agent != limit.agent, ~named if limit.all_but else named))
    return found


def worked(reach: Reach) -> ColumnElement[bool]:
    """That an item lies within somebody's reach, of a few items that are known already."""
    parts = (and_(ReviewItem.level == level, *_within(reach.of(level).values())) for level in reach.levels)
    return or_(false(), *parts)


def _spans(wanted: Narrow) -> list[Conditions]:
    """Due before some time is the beginning of a line only within one priority."""
    due = () if wanted.due_before is None else (ReviewItem.due_at < wanted.due_before,)
    if wanted.case_id is not None:
        return [(*due, ReviewItem.priority > 0) if wanted.urgent else due]
    if wanted.due_before is None:
        return [()]
    return [(priority, *due) for priority in (_APART[:-1] if wanted.urgent else _APART)]


def by_priority(line: Line) -> list[Line]:
    """Its parts, within each of which what is due first comes first."""
    return [and_(line, priority) for priority in _APART]
