"""Statements on what one reviewer said, how long it took them, and what others said of the same outputs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from kit.dialects import utc_day
from routing.cases.tables import Label
from routing.domain.judging import JUDGEMENT
from routing.domain.sampling import ASSISTED
from routing.gold import queries as gold
from routing.gold.tables import GoldDeal
from routing.judgements.tables import Judgement
from routing.people.queries import ArmTotal
from routing.reviews.tables import ReviewItem, Ruling
from routing.supervision.tables import BlindAnswer
from routing.tallies.queries import RULED

MOST = 20_000
"""Rulings that are looked at, the newest; and of the verdicts of others on them."""
_SAID = ("agree", "override")


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rulings are looked at, given from `since` to before `until`."""

    login: str
    since: datetime
    until: datetime


class Day(NamedTuple):
    """The rulings of a day that were timed, and the middle one of their times."""

    day: date
    rulings: int
    median_seconds: float


class Other(NamedTuple):
    """A verdict of somebody else, or a reported failure, on an output that this person gave a verdict on."""

    decision_id: UUID
    item_id: UUID
    agent: str
    case_id: str
    ruling: str
    verdict: str
    at: datetime
    other_verdict: str
    source: str
    source_id: UUID
    severity: str | None
    note: str
    other_reason: str | None
    other_at: datetime


class OwnArm(NamedTuple):
    agent: str
    total: ArmTotal


def newest(session: Session, scope: Scope) -> Scope:
    """The same, begun later where it holds more rulings than are looked at."""
    wanted = select(Ruling.at).where(*_own(scope)).order_by(Ruling.at.desc()).offset(MOST).limit(1)
    left_out = session.scalar(wanted)
    return scope if left_out is None else replace(scope, since=left_out + timedelta(microseconds=1))


def ruled(session: Session, scope: Scope) -> dict[str, int]:
    """How often this person ruled in which way."""
    wanted = select(Ruling.ruling, func.count()).where(*_own(scope)).group_by(Ruling.ruling)
    return dict(session.execute(wanted).all())


def pace(session: Session, scope: Scope) -> list[Day]:
    """Day by day; what was read from a file was never held and is left out."""
    day = utc_day(Ruling.at, session.get_bind().dialect.name)
    timed = (
        select(
            day.label("day"),
            Ruling.held_seconds.label("seconds"),
            func.row_number().over(partition_by=day, order_by=Ruling.held_seconds).label("place"),
            func.count().over(partition_by=day).label("rulings"),
        )
        .where(*_own(scope), Ruling.held_seconds > 0.0)
        .subquery()
    )
    middle = timed.c.place == (timed.c.rulings + 1) // 2
    wanted = select(timed.c.day, timed.c.rulings, timed.c.seconds).where(middle).order_by(timed.c.day)
    return [
        Day(on if isinstance(on, date) else date.fromisoformat(on), int(rulings), float(seconds))
        for on, rulings, seconds in session.execute(wanted)
    ]


def others(session: Session, scope: Scope) -> tuple[list[Other], bool]:
    """
    What others said of the same outputs, but for judgements between two outputs, ruling by ruling from the newest, each
    in the order given. From this person's rulings on, so it takes as long as they have ruled much. The second value
    tells that there are more.
    """
    own, other, theirs = aliased(Label), aliased(Label), aliased(Ruling)
    somebody_else = or_(other.person.is_(None), other.person != scope.login)
    wanted = (
        select(
            Ruling.decision_id, ReviewItem.id, ReviewItem.agent, ReviewItem.case_id, Ruling.ruling, own.verdict,
            Ruling.at,
            other.verdict, other.source, other.source_id, other.severity, other.note, theirs.reason_code, other.at,
        )
        .join(own, and_(own.source_id == Ruling.id, own.decision_id == Ruling.decision_id))
        .join(ReviewItem, ReviewItem.id == Ruling.item_id)
        .join(other, and_(other.decision_id == Ruling.decision_id, somebody_else))
        .outerjoin(theirs, theirs.id == other.source_id)
        .where(*_own(scope), own.verdict.in_(_SAID), other.verdict.in_(_SAID), ReviewItem.kind != JUDGEMENT)
        .order_by(Ruling.at.desc(), Ruling.id, other.at, other.id)
        .limit(MOST + 1)
    )  # fmt: skip
    found = [Other._make(row) for row in session.execute(wanted)]
    return found[:MOST], len(found) > MOST


def arms(session: Session, scope: Scope) -> Sequence[OwnArm]:
    """What came of the cases of either arm that this person ruled on; see `routing.people.queries.arms`."""
    answered = and_(BlindAnswer.item_id == ReviewItem.id, BlindAnswer.login == Ruling.login)
    columns = (
        ReviewItem.agent,
        ReviewItem.version,
        ReviewItem.kind,
        ReviewItem.arm_probability,
        ReviewItem.arm,
        BlindAnswer.equal,
        Label.verdict,
    )
    wanted = (
        select(*columns, func.count())
        .select_from(Ruling)
        .join(Label, and_(Label.source_id == Ruling.id, Label.decision_id == Ruling.decision_id))
        .join(ReviewItem, ReviewItem.id == Ruling.item_id)
        .outerjoin(BlindAnswer, answered)
        .where(*_own(scope), Label.verdict.in_(_SAID))
        .where(ReviewItem.arm_probability > 0.0, ReviewItem.arm_probability < 1.0)
        .where(or_(ReviewItem.arm == ASSISTED, BlindAnswer.id.is_not(None)))
        .group_by(*columns)
        .order_by(*columns[:4])
    )
    return [OwnArm(row[0], ArmTotal._make(row[1:])) for row in session.execute(wanted)]


def past(session: Session, login: str, item_id: UUID) -> tuple[Ruling, ReviewItem] | None:
    """What somebody ruled on an item, unless they took it back."""
    found = session.execute(_past(login).where(Ruling.item_id == item_id)).one_or_none()
    return (found[0], found[1]) if found is not None else None


def past_page(
    session: Session, login: str, *, before: tuple[datetime, UUID] | None, limit: int
) -> Sequence[tuple[Ruling, ReviewItem]]:
    """What somebody ruled, the newest first; from before one of them on."""
    wanted = _past(login).order_by(Ruling.at.desc(), Ruling.id.desc()).limit(limit)
    if before is not None:
        at, ruling_id = before
        wanted = wanted.where(Ruling.at <= at, or_(Ruling.at < at, Ruling.id < ruling_id))
    return [(ruling, item) for ruling, item in session.execute(wanted)]


def _past(login: str) -> Select[Ruling, ReviewItem]:
    wanted = select(Ruling, ReviewItem).join(ReviewItem, ReviewItem.id == Ruling.item_id)
    return wanted.where(Ruling.login == login, Ruling.undone_at.is_(None))


def judged(session: Session, item_ids: Collection[UUID]) -> dict[UUID, Judgement]:
    """By item; what is said in each is that of the ruling that stands."""
    wanted = select(Judgement).where(Judgement.item_id.in_(item_ids))
    return {row.item_id: row for row in session.scalars(wanted)} if item_ids else {}


def told_gold(session: Session, login: str, item_ids: Collection[UUID], now: datetime) -> set[UUID]:
    """Those of these items that were gold cases of which this person has been told by now."""
    theirs = select(GoldDeal.item_id).where(GoldDeal.item_id.in_(item_ids), GoldDeal.login == login)
    return set(session.scalars(theirs.where(gold.told(now))))


def labels_of(session: Session, decision_id: UUID) -> Sequence[tuple[Label, str | None]]:
    """What anybody said of this output, in the order given, each with the reason that a ruling named."""
    theirs = select(Label, Ruling.reason_code).outerjoin(Ruling, Ruling.id == Label.source_id)
    rows = session.execute(theirs.where(Label.decision_id == decision_id).order_by(Label.at, Label.id))
    return [(label, reason) for label, reason in rows]


def is_asked_still(session: Session, decision_id: UUID) -> bool:
    """Whether somebody else is still asked about this output who is to know nothing of what was said."""
    waits = or_(ReviewItem.state == "waiting", ReviewItem.concludes_at.is_not(None))
    of_it = ReviewItem.decision_id == decision_id, ReviewItem.kind.not_in(RULED), waits
    return session.scalar(select(ReviewItem.id).where(*of_it).limit(1)) is not None


def _own(scope: Scope) -> list[ColumnElement[Any]]:
    mine = Ruling.login == scope.login, Ruling.at >= scope.since, Ruling.at < scope.until
    return [*mine, Ruling.undone_at.is_(None), Ruling.bulk.is_(False)]
