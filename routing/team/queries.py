"""Statements on what waits for people, what was late, and who has how much to do."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Select, case, func, literal_column, select, union_all
from sqlalchemy.orm import Session

from rollout.versions.tables import Rollout
from routing.domain.opinions import SECOND
from routing.domain.reach import Reach
from routing.gold.queries import GOLD
from routing.reviews.dealing.lines import TURN, WAITING, Known, Line, Narrow, lines, shown_kind
from routing.reviews.dealing.queries import COUNTED_UP_TO, agents_waiting, rollouts_of_kind
from routing.reviews.schemas import KINDS
from routing.reviews.tables import ReviewItem
from routing.tallies.queries import RULED

_LINES_AT_ONCE = 400  # of one statement; SQLite takes no more than 500 parts
_LEVELS = (1, 2)
_RULED = ("approved", "edited", "rejected")
_NO_GOLD: ColumnElement[bool] = ReviewItem.kind != GOLD
_KIND = case((ReviewItem.kind == SECOND, ReviewItem.kind), else_=shown_kind)
"""Second opinions apart: no work depends on them, so none can be late. What is one is told to nobody who rules."""


class Queue(NamedTuple):
    """
    What waits of one kind in one line. `ages`: how many came before each of the moments that were asked for. Of a kind
    on which no work depends none is `late` or `soon`.
    """

    agent: str
    level: int
    kind: str
    waiting: int
    held: int
    late: int
    soon: int
    oldest: datetime
    ages: tuple[int, ...]


class Ended(NamedTuple):
    """What came to an end: ruled in time, ruled late, or without anybody's ruling."""

    agent: str
    in_time: int
    late: int
    expired: int


class Work(NamedTuple):
    login: str
    times: int


def waiting(
    session: Session, agent: str | None, now: datetime, *, soon: datetime, before: Sequence[datetime]
) -> list[Queue]:
    """
    By agent, line and kind; `soon`: due by then, and not late yet. Of each line of an agent the front is counted,
    `COUNTED_UP_TO` cases: what is late stands there. Where more wait, the front of each kind is, or one would hide the
    others.
    """
    agents = [agent] if agent is not None else agents_waiting(session)
    whole = (lines(Narrow(name), Reach(_LEVELS), Known()) for name in agents)
    found = [queue for some in _at_once(whole) for queue in _counted(session, some, now, soon, before)]
    long = {place for place, times in _by_line(found).items() if times >= COUNTED_UP_TO}
    if long:
        found = [queue for queue in found if (queue.agent, queue.level) not in long]
        for some in _at_once(_by_kind(session, sorted(long))):
            found += _counted(session, some, now, soon, before)
    return sorted(found)


def _at_once(parts: Iterable[list[Line]]) -> Iterator[list[Line]]:
    """The lines of several parts for one statement each; those of one part stay together, as they are counted so."""
    some: list[Line] = []
    for part in parts:
        if some and len(some) + len(part) > _LINES_AT_ONCE:
            yield some
            some = []
        some = [*some, *part]
    if some:
        yield some


def _by_line(found: Sequence[Queue]) -> Counter[tuple[str, int]]:
    times = Counter[tuple[str, int]]()
    for queue in found:
        times[queue.agent, queue.level] += queue.waiting
    return times


def _by_kind(session: Session, long: Sequence[tuple[str, int]]) -> Iterator[list[Line]]:
    """The lines of each kind, of every long line."""
    rollouts = _rollouts_by_kind(session)
    for agent, level in long:
        yield [
            line
            for kind in KINDS
            for line in lines(Narrow(agent, kind=kind), Reach((level,)), Known(rollouts.get((agent, kind), ())))
        ]


def _rollouts_by_kind(session: Session) -> Mapping[tuple[str, str], list[UUID]]:
    """Of which versions something waits, by agent and kind: each kind is walked through once for all agents."""
    waiting = {kind: rollouts_of_kind(kind, name=f"waiting_{kind}") for kind in KINDS}
    parts: list[Select[*tuple[Any, ...]]] = [
        select(Rollout.agent, literal_column(f"'{kind}'").label("kind"), Rollout.id).join(
            some, some.c.rollout_id == Rollout.id
        )
        for kind, some in waiting.items()
    ]
    found: dict[tuple[str, str], list[UUID]] = {}
    for agent, kind, rollout in session.execute(union_all(*parts)):
        found.setdefault((agent, kind), []).append(rollout)
    return found


def _counted(
    session: Session, wanted_lines: Sequence[Line], now: datetime, soon: datetime, before: Sequence[datetime]
) -> list[Queue]:
    columns = (
        ReviewItem.agent, ReviewItem.level, _KIND.label("kind"), ReviewItem.created_at, ReviewItem.due_at,
        ReviewItem.claimed_until, ReviewItem.priority, ReviewItem.id,
    )  # fmt: skip
    fronts = [
        select(*columns).where(WAITING, line, _NO_GOLD).order_by(*TURN).limit(COUNTED_UP_TO).subquery()
        for line in wanted_lines
    ]
    some = union_all(*(select(front) for front in fronts)).subquery()
    place = some.c.agent, some.c.level, some.c.kind
    work = some.c.kind.in_(RULED)
    late, soon_late = work & (some.c.due_at < now), work & (some.c.due_at >= now) & (some.c.due_at < soon)
    wanted = (
        select(
            *place,
            func.count(),
            _times(some.c.claimed_until >= now),
            _times(late),
            _times(soon_late),
            func.min(some.c.created_at),
            *(_times(some.c.created_at < moment) for moment in before),
        )
        .group_by(*place)
        .order_by(*place)
    )
    return [Queue._make((*row[:8], tuple(row[8:]))) for row in session.execute(wanted)]


def ended(session: Session, agent: str | None, since: datetime) -> list[Ended]:
    """By agent. What was passed on counts where it ended; what was called off or replaced does not."""
    in_time = ReviewItem.ended_at <= ReviewItem.due_at
    ruled = ReviewItem.state.in_(_RULED)
    wanted = select(
        ReviewItem.agent, _times(ruled & in_time), _times(ruled & ~in_time), _times(ReviewItem.state == "expired")
    ).where(ReviewItem.ended_at >= since, ReviewItem.state.in_((*_RULED, "expired")), ReviewItem.kind.in_(RULED))
    if agent is not None:
        wanted = wanted.where(ReviewItem.agent == agent)
    rows = session.execute(wanted.group_by(ReviewItem.agent).order_by(ReviewItem.agent))
    return [Ended._make(row) for row in rows]


def held(session: Session, logins: Collection[str], now: datetime) -> list[Work]:
    """How many cases each of them holds, those ahead included."""
    mine = select(ReviewItem.claimed_by, func.count()).where(WAITING, _NO_GOLD, ReviewItem.claimed_until >= now)
    rows = session.execute(mine.where(ReviewItem.claimed_by.in_(logins)).group_by(ReviewItem.claimed_by))
    return [Work(str(login), times) for login, times in rows]


def _times(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0, type_=Integer)
