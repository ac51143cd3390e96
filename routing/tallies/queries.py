"""Statements on what is counted by day: adding to it, and adding it up again from the decisions and their labels."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    and_,
    case,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy import Table as CoreTable
from sqlalchemy.orm import Session

from kit.dialects import among, insert_or_add, utc_day, utc_hour
from rollout.versions.tables import Rollout
from routing.cases.tables import AUTOMATED, SAID, THRESHOLDED, VERDICTS, Decision, Label
from routing.domain.sampling import ASSISTED, BLIND
from routing.reviews.tables import ReviewItem, Ruling
from routing.supervision.tables import BlindAnswer
from routing.tallies.tables import DrawTotal, VerdictTotal, WorkTotal

Key = tuple[Any, ...]
Figures = tuple[int, ...]
Sums = dict[Key, Figures]


class Kept(NamedTuple):
    """One table of counts: `keys` say what is counted, `counters` how much of it."""

    table: CoreTable
    keys: tuple[str, ...]
    counters: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.table.name


def _kept(table: Any) -> Kept:
    columns = table.__table__.columns
    keys = tuple(column.name for column in columns if column.primary_key)
    return Kept(table.__table__, keys, tuple(column.name for column in columns if not column.primary_key))


DRAWS, WORK, VERDICT = _kept(DrawTotal), _kept(WorkTotal), _kept(VerdictTotal)
KEPT = (DRAWS, WORK, VERDICT)
RULED = ("review", "audit")
"""The sources in which a reviewer saw the output and said what they think of it."""


class Said(NamedTuple):
    """A label with what is known of how it came to be; `held_seconds` is None where no ruling is behind it."""

    rollout_id: UUID | None
    decided_at: datetime
    lane: str
    source: str
    person: str | None
    verdict: str
    arm: str | None
    arm_probability: float | None
    equal: bool | None
    held_seconds: float | None


class Ruled(NamedTuple):
    """How often a reviewer said this of outputs of an agent that came to them in this way."""

    agent: str
    person: str
    source: str
    verdict: str
    times: int


def ruled(
    session: Session, first: date, end: date, *, agent: str | None = None, version: str | None = None
) -> Sequence[Ruled]:
    """
    How often each reviewer agreed and overrode, in reviews and in audits, by agent and name; of decisions made from
    `first` to before `end`.
    """
    key = Rollout.agent, VerdictTotal.person, VerdictTotal.source, VerdictTotal.verdict
    times = func.sum(VerdictTotal.verdicts)
    wanted = select(*key, times).join(Rollout, Rollout.id == VerdictTotal.rollout_id)
    wanted = wanted.where(VerdictTotal.day >= first, VerdictTotal.day < end, VerdictTotal.person != "")
    wanted = wanted.where(VerdictTotal.source.in_(RULED), VerdictTotal.verdict.in_(SAID))
    wanted = wanted if agent is None else wanted.where(Rollout.agent == agent)
    wanted = wanted if version is None else wanted.where(Rollout.version == version)
    rows = session.execute(wanted.group_by(*key).having(times > 0).order_by(*key))
    return [Ruled(*row[:4], int(row[4])) for row in rows]


def add(session: Session, kept: Kept, sums: Mapping[Key, Figures]) -> None:
    """Add to counts, whose rows need not be there yet; always in one order, so that nobody waits in a circle."""
    rows = [_row(kept, key, sums[key]) for key in sorted(sums) if any(sums[key])]
    if rows:
        statement = insert_or_add(session.get_bind().dialect.name, kept.table, list(kept.keys), list(kept.counters))
        session.execute(statement, rows)


def _row(kept: Kept, key: Key, figures: Figures) -> dict[str, Any]:
    return dict(zip((*kept.keys, *kept.counters), (*key, *figures), strict=True))


def said(session: Session, decision_ids: Sequence[UUID], *, counted: bool) -> Iterator[Said]:
    """What the labels of these decisions say: those that were counted before, or those that were not."""
    held = case((Ruling.held_seconds > 0.0, Ruling.held_seconds))
    wanted = select(
        Decision.rollout_id, Decision.decided_at, Decision.lane, Label.source, Label.person, Label.verdict,
        ReviewItem.arm, ReviewItem.arm_probability, _ANSWERED, held,
    )  # fmt: skip
    of_these = among(Label.decision_id, decision_ids, session.get_bind().dialect.name), Label.counted.is_(counted)
    yield from (Said(*row) for row in session.execute(_with_what_is_known(wanted).where(*of_these)))


def mark_counted(session: Session, decision_ids: Sequence[UUID]) -> None:
    of_these = among(Label.decision_id, decision_ids, session.get_bind().dialect.name), Label.counted.is_(False)
    session.execute(update(Label).where(*of_these).values(counted=True).execution_options(synchronize_session=False))


def _with_what_is_known(wanted: Select[Any]) -> Select[Any]:
    return (
        wanted.select_from(Label)
        .join(Decision, Decision.id == Label.decision_id)
        .outerjoin(Ruling, Ruling.id == Label.source_id)
        .outerjoin(ReviewItem, ReviewItem.id == Ruling.item_id)
    )


# Whether what who ruled had answered first was the same; NULL where they had not. The second line is not asked again.
_ANSWERED = (
    select(BlindAnswer.equal)
    .where(BlindAnswer.decision_id == Decision.id, BlindAnswer.login == Ruling.login)
    .order_by(BlindAnswer.id)
    .limit(1)
    .correlate(Decision, Ruling)
    .scalar_subquery()
)


def stored(session: Session, kept: Kept, *, rollout_id: UUID | None = None, day: date | None = None) -> Sums:
    wanted = select(kept.table)
    if rollout_id is not None:
        wanted = wanted.where(kept.table.c.rollout_id == rollout_id, kept.table.c.day == day)
    width = len(kept.keys)
    return {tuple(row[:width]): tuple(map(int, row[width:])) for row in session.execute(wanted)}


def recounted(session: Session, kept: Kept, *where: ColumnElement[bool]) -> Sums:
    """What settling would have added for the decisions that it counted, or those of them that fit."""
    dialect, width, found = session.get_bind().dialect.name, len(kept.keys), Sums()
    place = kept.keys.index("day")
    for statement in _RECOUNTS[kept.name](dialect):
        for row in session.execute(statement.where(*where)):
            key = list(row[:width])
            key[place] = key[place] if isinstance(key[place], date) else date.fromisoformat(key[place])
            figures = tuple(map(int, row[width:]))
            before = found.get(tuple(key))
            found[tuple(key)] = figures if before is None else tuple(map(sum, zip(before, figures, strict=True)))
    return found


def between(after: UUID | None, stop: UUID) -> tuple[ColumnElement[bool], ...]:
    return (Decision.id <= stop,) if after is None else (Decision.id > after, Decision.id <= stop)


def on_day(rollout_id: UUID, day: date) -> tuple[ColumnElement[bool], ...]:
    """By way of the index on agent and time."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    agent = select(Rollout.agent).where(Rollout.id == rollout_id).scalar_subquery()
    that_day = (Decision.decided_at >= begin, Decision.decided_at < begin + timedelta(days=1))
    return Decision.agent == agent, *that_day, Decision.rollout_id == rollout_id


def lock(session: Session) -> None:
    """Let nobody else move these counts until the transaction ends."""
    if session.get_bind().dialect.name == "postgresql":
        for kept in KEPT:
            session.execute(text(f"LOCK TABLE {kept.name} IN EXCLUSIVE MODE"))


def replace(session: Session, kept: Kept, sums: Mapping[Key, Figures]) -> None:
    session.execute(delete(kept.table))
    rows = [_row(kept, key, figures) for key, figures in sums.items()]
    if rows:
        session.execute(insert(kept.table), rows)


def _draws(dialect: str) -> list[Select[Any]]:
    """As `counting.draws_of` has it."""
    figures = (
        func.count(),
        _number(Decision.counted_as.in_(("void", "nothing"))),
        _number(Decision.counted_as.in_(VERDICTS)),
        _number(Decision.counted_as.in_(VERDICTS - {"agree"})),
    )
    audit = Decision.lane.in_(("auto", "audit")), Decision.audit_probability.is_not(None)
    ramp = (
        Decision.phase.in_(AUTOMATED),
        Decision.lane.in_(THRESHOLDED),
        Decision.risk.is_(None),
        Decision.confidence >= Decision.threshold,
        Decision.ramp_share.is_not(None),
    )
    found = []
    for draw, probability, drawn in (
        ("audit", Decision.audit_probability, audit),
        ("ramp", Decision.ramp_share, ramp),
    ):
        key = Decision.rollout_id, Decision.epoch, probability, Decision.lane, _day(dialect)
        columns = (*key[:2], literal(draw), *key[2:])
        found.append(select(*columns, *figures).where(*_counted(), *drawn).group_by(*key))
    return found


def _work(dialect: str) -> list[Select[Any]]:
    """As `counting.work_of` and `counting.verdict_of` have it."""
    hour = cast(utc_hour(Decision.decided_at, dialect), Integer).label("hour")
    key = Decision.rollout_id, _day(dialect), hour, Decision.lane
    dealt = Decision.lane.in_(THRESHOLDED)
    cases = select(*key, func.count(), literal(0), literal(0)).where(*_counted(), dealt).group_by(*key)
    milliseconds = Ruling.held_seconds * 1000.0
    whole = cast(func.trunc(milliseconds), BigInteger) if dialect == "postgresql" else cast(milliseconds, Integer)
    held = _with_what_is_known(select(*key, literal(0), func.count(), func.sum(whole)))
    return [cases, held.where(*_of_label(), Ruling.held_seconds > 0.0).group_by(*key)]


def _verdicts(dialect: str) -> list[Select[Any]]:
    """As `counting.verdict_of` has it."""
    drawn = and_(ReviewItem.arm_probability > 0.0, ReviewItem.arm_probability < 1.0)
    blind = and_(drawn, ReviewItem.arm == BLIND, _ANSWERED.is_not(None))
    in_an_arm = or_(blind, and_(drawn, ReviewItem.arm == ASSISTED))
    key = (
        Decision.rollout_id,
        _day(dialect),
        Label.source,
        func.coalesce(Label.person, ""),
        Label.verdict,
        case((in_an_arm, ReviewItem.arm), else_=""),
        case((in_an_arm, ReviewItem.arm_probability), else_=0.0),
        case((blind, case((_ANSWERED.is_(True), "equal"), else_="different")), else_=""),
    )
    labelled = [column.label(name) for name, column in zip(VERDICT.keys, key, strict=True)]
    found = _with_what_is_known(select(*labelled, func.count())).where(*_of_label())
    return [found.group_by(*labelled)]


_RECOUNTS = {DRAWS.name: _draws, WORK.name: _work, VERDICT.name: _verdicts}


def _day(dialect: str) -> Any:
    return utc_day(Decision.decided_at, dialect).label("day")


def _counted() -> tuple[ColumnElement[bool], ...]:
    return Decision.rollout_id.is_not(None), Decision.counted_as.is_not(None)


def _of_label() -> tuple[ColumnElement[bool], ...]:
    return Decision.rollout_id.is_not(None), Label.counted.is_(True)


def _number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
