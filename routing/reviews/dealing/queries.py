"""
Who is dealt what next. A claim is one conditional UPDATE, so two people cannot both win.

Whatever keeps an item from a person stands in `may_be_dealt` and nowhere else: every statement that hands one out
asks it, in turn, by name and ahead alike.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Executable,
    ScalarSelect,
    Select,
    Update,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from kit.db import execute_core
from kit.dialects import UtcTime, skip_locked
from kit.tables import as_read, described
from rollout.agents.tables import Agent
from rollout.versions.tables import Rollout
from routing.domain.judging import JUDGEMENT
from routing.domain.opinions import ADJUDICATION, SECOND
from routing.domain.reach import Reach
from routing.gold.tables import GoldDeal
from routing.judgements.queries import has_seen, knows
from routing.reviews.dealing.lines import (
    TURN,
    WAITING,
    WHOLE,
    Known,
    Line,
    Narrow,
    Spot,
    by_priority,
    free,
    in_turn,
    lines,
    of_agent,
    parts_beyond,
    shown_kind,
    worked,
)
from routing.reviews.tables import Opened, ReviewItem, Ruling

COUNTED_UP_TO = 1000
"""How many waiting cases of an agent are counted; where there are more, nobody needs to know how many."""

_LINES_AT_ONCE = 50  # of one statement; SQLite takes no more than 500


_LOGIN: BindParameter[str] = bindparam("login")
_NOW: BindParameter[datetime] = bindparam("now", type_=UtcTime)
_UNTIL: BindParameter[datetime] = bindparam("until", type_=UtcTime)
_ITEMS = described(ReviewItem)
"""
What a claim says is made once and filled in each time: to make it took ten times as long as to carry it out. How many
are wanted stands in it as a literal, for PostgreSQL takes a limit that it does not know for a tenth of the table.
"""


def may_be_dealt(login: str | BindParameter[str], *, alone: bool = False) -> list[ColumnElement[bool]]:
    """
    What must hold of an item, beyond being free, before this person may be handed it. A condition for a few items
    only: one that leaves out most of what waits belongs into an index, or a claim reads past all of it.

    What they passed on themselves is for somebody else; with `alone`, since there is nobody else, it is for them. A
    second opinion, and a ruling between two, is never for somebody who has ruled on the same output. A gold case is for
    who was dealt it, and for nobody else.
    """
    ordinary = ~_ANOTHER if alone else and_(ReviewItem.level == literal_column("1"), ~_ANOTHER)
    not_first = or_(ReviewItem.not_for.is_(None), ReviewItem.not_for != login)  # in the row itself: there may be many
    return [_not_anothers_gold(login), not_first, or_(ordinary, ~_ruled_by(login)), _not_judged_by_who_knows(login)]


def _not_judged_by_who_knows(login: str | BindParameter[str]) -> ColumnElement[bool]:
    """Who was right is never for somebody who knows whose output is whose."""
    return or_(ReviewItem.kind != literal_column(f"'{JUDGEMENT}'"), ~or_(knows(login), has_seen(login)))


def may_judge(session: Session, item_id: UUID, login: str) -> bool:
    """Whether this person still knows nothing that would tell whose output is whose."""
    wanted = select(ReviewItem.id).where(ReviewItem.id == item_id, _not_judged_by_who_knows(login))
    return session.scalar(wanted) is not None


_ANOTHER = ReviewItem.kind.in_((literal_column(f"'{SECOND}'"), literal_column(f"'{ADJUDICATION}'")))
"""What waits for somebody else than who ruled on the same output."""


def seen_by(login: str | None) -> list[ColumnElement[bool]]:
    """What of the queue somebody sees: no second opinion on what they ruled on; everything, where nobody is named."""
    return [or_(~_ANOTHER, ~_ruled_by(login)), _not_judged_by_who_knows(login)] if login is not None else []


def known_to(session: Session, ids: Collection[UUID], login: str, reach: Reach) -> dict[UUID, str]:
    """The case ids of those of these items that somebody may know of: what they work, had before them or ruled on."""
    ruled = exists().where(Ruling.item_id == ReviewItem.id, Ruling.login == login)
    opened = exists().where(Opened.item_id == ReviewItem.id, Opened.login == login)
    mine = or_(ReviewItem.claimed_by == login, ruled.correlate(ReviewItem), opened.correlate(ReviewItem))
    seen = and_(worked(reach), _not_anothers_gold(login), *seen_by(login))
    wanted = select(ReviewItem.id, ReviewItem.case_id).where(ReviewItem.id.in_(ids), or_(mine, seen))
    return dict(session.execute(wanted).all())


def _not_anothers_gold(login: str | BindParameter[str]) -> ColumnElement[bool]:
    theirs = exists().where(GoldDeal.item_id == ReviewItem.id, GoldDeal.login == login)
    return or_(ReviewItem.kind != literal_column("'gold'"), theirs)


def _ruled_by(login: str | BindParameter[str]) -> ColumnElement[bool]:
    """Whether this person has ruled on the same output, in another item of it."""
    other = aliased(ReviewItem)
    theirs = Ruling.login == login, Ruling.undone_at.is_(None), other.decision_id == ReviewItem.decision_id
    return exists().where(Ruling.item_id == other.id, *theirs).correlate(ReviewItem)


@lru_cache(maxsize=256)
def _mine(agent: str | None, segment: str | None) -> Select[*tuple[Any, ...]]:
    """
    What somebody holds, seen or not. A judgement of which they came to know more than they may goes back at the end of
    its lease.
    """
    mine = ReviewItem.claimed_by == _LOGIN, ReviewItem.claimed_until >= _NOW
    return (
        select(_ITEMS)
        .where(WAITING, *mine, _not_judged_by_who_knows(_LOGIN), *of_agent(agent, segment))
        .order_by(*TURN)
    )


def _read(session: Session, statement: Executable, given: Mapping[str, Any]) -> list[ReviewItem]:
    return as_read(ReviewItem, execute_core(session, statement, given))


def held_by(session: Session, login: str, now: datetime, *, narrow: Narrow = WHOLE) -> ReviewItem | None:
    """
    The case a person looks at, if any; reloading a page must not take another one. Of several the one they took
    first: after an undo, the one that came back.
    """
    return held_at_all(session, login, now, narrow=narrow)[0]


def held_at_all(
    session: Session, login: str, now: datetime, *, narrow: Narrow = WHOLE
) -> tuple[ReviewItem | None, list[ReviewItem]]:
    """`held_by` and `held_ahead` in one look."""
    seen, following = _held(session, login, now, narrow)
    return (seen[0] if seen else None), following


def looked_at(session: Session, login: str, now: datetime, *, narrow: Narrow = WHOLE) -> Sequence[ReviewItem]:
    """All the cases a person has on the desk: more than one after an undo, or when they took one out of turn."""
    return _held(session, login, now, narrow)[0][:10]


def held_ahead(session: Session, login: str, now: datetime, *, narrow: Narrow = WHOLE) -> list[ReviewItem]:
    """The cases a person will get next, in turn."""
    return held_at_all(session, login, now, narrow=narrow)[1]


def _held(session: Session, login: str, now: datetime, narrow: Narrow) -> tuple[list[ReviewItem], list[ReviewItem]]:
    mine = _read(session, _mine(narrow.agent, narrow.segment), {"login": login, "now": now})
    found = [one for one in mine if narrow.takes(one)]
    seen = sorted((one for one in found if not one.ahead), key=lambda one: (one.claimed_at or now, one.id))
    return seen, [one for one in found if one.ahead]


def renew_ahead(session: Session, ids: Sequence[UUID], login: str, *, until: datetime) -> list[ReviewItem]:
    """Hold on to cases nobody has seen yet; those of them that are still theirs, as they are now."""
    return _read(session, _RENEWING_AHEAD, {"ids": list(ids), "login": login, "until": until}) if ids else []


_RENEWING_AHEAD = (
    update(_ITEMS)
    .where(ReviewItem.id.in_(bindparam("ids", expanding=True)), WAITING)
    .where(ReviewItem.claimed_by == _LOGIN, ReviewItem.ahead.is_(True))
    .values(claimed_until=_UNTIL)
    .returning(*_ITEMS.c)
)


def lines_of(session: Session, wanted: Narrow, reach: Reach) -> list[Line]:
    """The lines that make up this part of the queue, within what the person works."""
    by_kind = wanted.kind is not None and wanted.case_id is None
    if by_kind or not reach.limits:
        return lines(wanted, reach, Known(_rollouts_waiting(session, wanted) if by_kind else ()))
    partly = sorted({limit.agent for limit in reach.limits if limit.all_but and wanted.agent in {None, limit.agent}})
    segments = {
        agent: _from_one_to_the_next(session, ReviewItem.segment, ReviewItem.agent == agent) for agent in partly
    }
    agents = _from_one_to_the_next(session, ReviewItem.agent) if wanted.agent is None else ()
    return lines(wanted, reach, Known((), agents, segments))


def agents_waiting(session: Session) -> Sequence[str]:
    """Of which something waits."""
    return _from_one_to_the_next(session, ReviewItem.agent)


def _from_one_to_the_next(
    session: Session, column: InstrumentedAttribute[str], *within: ColumnElement[bool]
) -> Sequence[str]:
    """What stands there of all that waits: from one value to the next in the index that begins with it."""

    def least(*beyond: ColumnElement[bool]) -> ScalarSelect[str]:
        mine = select(column).where(WAITING, *within, *beyond)
        return mine.order_by(column).limit(1).scalar_subquery()

    found = select(least().label("value")).cte("found", recursive=True)
    found = found.union_all(select(least(column > found.c.value)).where(found.c.value.is_not(None)))
    return session.scalars(select(found.c.value).where(found.c.value.is_not(None))).all()


def lines_in_turn(
    session: Session,
    login: str,
    wanted: Sequence[Line],
    *,
    now: datetime,
    but: Collection[UUID] = (),
    alone: bool = False,
) -> list[Line]:
    """The lines in which something is free, the one whose first case comes first at the front."""
    if len(wanted) == 1:
        return list(wanted)
    free_to_them = _to_deal(login, now, but, alone=alone)
    firsts: list[tuple[int, datetime, UUID, int]] = []
    for start in range(0, len(wanted), _LINES_AT_ONCE):
        some = wanted[start : start + _LINES_AT_ONCE]
        found = session.execute(_firsts(some, free_to_them, limit=1, start=start)).all()
        firsts += [(-row[0], row[1], row[2], row[3]) for row in found]
    return [wanted[number] for *_, number in sorted(firsts)]


def _firsts(
    some: Sequence[Line],
    conditions: Sequence[ColumnElement[bool]],
    *,
    limit: int,
    start: int = 0,
    back: bool = False,
) -> CompoundSelect[*tuple[Any, ...]]:
    """The first of each line, or the last, with the line's number."""
    turn = in_turn(ReviewItem.priority, ReviewItem.due_at, ReviewItem.id, back=back)
    parts = [
        select(ReviewItem.priority, ReviewItem.due_at, ReviewItem.id, literal_column(str(number)).label("line"))
        .where(line, *conditions)
        .order_by(*turn)
        .limit(limit)
        .subquery()
        for number, line in enumerate(some, start)
    ]
    return union_all(*(select(part) for part in parts))


def claim_in_turn(
    session: Session,
    login: str,
    line: Line,
    *,
    count: int,
    now: datetime,
    until: datetime,
    but: Collection[UUID] = (),
    ahead: bool = False,
    alone: bool = False,
) -> list[ReviewItem]:
    """Claim the first free items of a line, or hold them ahead; as many as wait there, in turn."""
    statement = _claiming(line, session.get_bind().dialect.name, count, bool(but), alone)
    given = {"login": login, "now": now, "until": until, "unseen": ahead} | ({"but": list(but)} if but else {})
    return sorted(_read(session, statement, given), key=turn_of)


def turn_of(item: ReviewItem) -> tuple[int, datetime, UUID]:
    """As `TURN` has it."""
    return -item.priority, item.due_at, item.id


@lru_cache(maxsize=512)
def _claiming(line: Line, dialect: str, count: int, some_not: bool, alone: bool) -> Update:
    free_ones = select(ReviewItem.id).where(line, free(_NOW), *may_be_dealt(_LOGIN, alone=alone))
    if some_not:
        free_ones = free_ones.where(ReviewItem.id.not_in(bindparam("but", expanding=True)))
    first = skip_locked(free_ones.order_by(*TURN).limit(literal_column(str(count))), dialect).cte("first")
    return (
        update(_ITEMS)
        .where(ReviewItem.id == first.c.id, free(_NOW))
        .values(claimed_by=_LOGIN, claimed_at=_NOW, claimed_until=_UNTIL, ahead=bindparam("unseen"))
        .returning(*_ITEMS.c)
    )


def _to_deal(login: str, now: datetime, but: Collection[UUID], *, alone: bool) -> list[ColumnElement[bool]]:
    return [free(now), *may_be_dealt(login, alone=alone), *([ReviewItem.id.not_in(but)] if but else [])]


def try_claim(
    session: Session, item_id: UUID, login: str, *, now: datetime, until: datetime, alone: bool = False
) -> ReviewItem | None:
    """
    Claim this item if nobody else holds it; None when somebody does or it has ended.

    One's own is held on to, and how long the work takes is counted from the first claim that showed it.
    """
    given = {"item": item_id, "login": login, "now": now, "until": until}
    return next(iter(_read(session, _claiming_one(alone), given)), None)


@cache
def _claiming_one(alone: bool) -> Update:
    mine = and_(WAITING, ReviewItem.claimed_by == _LOGIN, _not_judged_by_who_knows(_LOGIN))
    seen = and_(mine, ReviewItem.claimed_until >= _NOW, ReviewItem.ahead.is_(False))
    since = case((seen, ReviewItem.claimed_at), else_=_NOW)
    wanted = or_(and_(free(_NOW), *may_be_dealt(_LOGIN, alone=alone)), mine)
    return (
        update(_ITEMS)
        .where(ReviewItem.id == bindparam("item"), wanted)
        .values(claimed_by=_LOGIN, claimed_at=since, claimed_until=_UNTIL, ahead=False)
        .returning(*_ITEMS.c)
    )


def open_page(
    session: Session,
    *,
    reach: Reach,
    limit: int,
    beyond: Spot | None = None,
    back: bool = False,
    narrow: Narrow | None = None,
    login: str | None = None,
) -> Sequence[ReviewItem]:
    """
    The queue in turn, held items included; all of it, or as narrowed. `beyond`: what comes after that place, or with
    `back` what comes just before it. `login`: as this person sees it, without second opinions on what they ruled on
    themselves.
    """
    wanted = lines_of(session, narrow or Narrow(), reach)
    if beyond is not None:
        wanted = [and_(line, part) for line in wanted for part in parts_beyond(beyond, back=back)]
    firsts: list[tuple[int, datetime, UUID]] = []
    for start in range(0, len(wanted), _LINES_AT_ONCE):
        some = wanted[start : start + _LINES_AT_ONCE]
        merged = _firsts(some, [WAITING, *seen_by(login)], limit=limit, back=back).subquery()
        turn = in_turn(merged.c.priority, merged.c.due_at, merged.c.id, back=back)
        found = select(merged.c.priority, merged.c.due_at, merged.c.id).order_by(*turn).limit(limit)
        firsts += [(-row[0], row[1], row[2]) for row in session.execute(found).all()]
    ids = [item_id for *_, item_id in sorted(sorted(firsts, reverse=back)[:limit])]
    wanted_rows = select(ReviewItem).where(ReviewItem.id.in_(ids))
    rows = {item.id: item for item in session.scalars(wanted_rows)} if ids else {}
    return [rows[item_id] for item_id in ids if item_id in rows]


def earliest_due(session: Session, narrow: Narrow, reach: Reach, login: str) -> datetime | None:
    """When what is due first of this part of the queue is due, as this person sees it; its turn may come later."""
    first = open_page(session, narrow=narrow, reach=reach, limit=1, login=login)
    if not first or not first[0].priority:  # nothing is urgent, so what comes first is due first
        return first[0].due_at if first else None
    wanted = [part for line in lines_of(session, narrow, reach) for part in by_priority(line)]
    due = first[0].due_at
    for start in range(0, len(wanted), _LINES_AT_ONCE):
        firsts = _firsts(wanted[start : start + _LINES_AT_ONCE], [WAITING, *seen_by(login)], limit=1)
        due = min([due, *(row[1] for row in session.execute(firsts))])
    return due


def rollouts_of_kind(kind: str, *, name: str = "waiting") -> CTE:
    """Of which versions something of this kind waits: from one to the next in the index over what waits."""

    def least(*beyond: ColumnElement[bool]) -> ScalarSelect[UUID]:
        mine = select(ReviewItem.rollout_id).where(WAITING, shown_kind == kind, *beyond)
        return mine.order_by(ReviewItem.rollout_id).limit(1).scalar_subquery()

    found = select(least().label("rollout_id")).cte(name, recursive=True)
    beyond = least(ReviewItem.rollout_id > found.c.rollout_id)
    return found.union_all(select(beyond).where(found.c.rollout_id.is_not(None)))


def _rollouts_waiting(session: Session, wanted: Narrow) -> Sequence[UUID]:
    waiting = rollouts_of_kind(wanted.kind or "")
    mine = select(Rollout.id).join(waiting, waiting.c.rollout_id == Rollout.id).order_by(Rollout.id)
    return session.scalars(mine if wanted.agent is None else mine.where(Rollout.agent == wanted.agent)).all()


def waiting_in(session: Session, reach: Reach) -> dict[str, int]:
    """
    How many cases wait within somebody's reach, by agent; counted no further than a bound. Without second opinions: a
    case is one case, and the number would tell who is being checked.
    """
    some = select(ReviewItem.id).where(WAITING, ReviewItem.agent == Agent.name, ReviewItem.level.in_(reach.levels))
    some = some.where(~_ANOTHER)
    some_of_it = some.limit(COUNTED_UP_TO).correlate(Agent).subquery()
    count = select(func.count()).select_from(some_of_it).scalar_subquery()
    limited = sorted({limit.agent for limit in reach.limits})
    whole = select(Agent.name, count).where(Agent.name.not_in(limited)) if limited else select(Agent.name, count)
    parts = {agent: _count(session, lines_of(session, Narrow(agent), reach)) for agent in limited}
    return dict(session.execute(whole).all()) | parts


def waiting_of(session: Session, narrow: Narrow, reach: Reach) -> int:
    """How many wait in this part of the queue within a reach; counted no further than `COUNTED_UP_TO`."""
    return _count(session, lines_of(session, narrow, reach))


def urgent_count(session: Session, reach: Reach) -> int:
    """How many wait ahead of the ordinary work; counted no further than `COUNTED_UP_TO`."""
    return waiting_of(session, Narrow(urgent=True), reach)


def _count(session: Session, wanted: Sequence[Line]) -> int:
    """How many wait in these lines, counted no further than `COUNTED_UP_TO`."""
    found = 0
    for start in range(0, len(wanted), _LINES_AT_ONCE):
        parts = [
            select(ReviewItem.id).where(WAITING, line, ~_ANOTHER).limit(COUNTED_UP_TO).subquery()
            for line in wanted[start : start + _LINES_AT_ONCE]
        ]
        some = union_all(*(select(part.c.id) for part in parts)).limit(COUNTED_UP_TO - found).subquery()
        found += session.scalar(select(func.count()).select_from(some)) or 0
        if found >= COUNTED_UP_TO:
            break
    return found
