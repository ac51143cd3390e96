"""Statements that look for what cannot be true. Each check is one, so it sees one moment of a database at work."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    column,
    delete,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    table,
    text,
    union_all,
    update,
)
from sqlalchemy.orm import Session, aliased

from governance.audit.tables import AuditEvent
from kit import partitions
from kit.dialects import marked, utc_day
from kit.json_digest import sha256_of
from rollout.domain.totals import Counts
from rollout.gates.tables import EvidenceSnapshot, Total
from rollout.versions.tables import Rollout
from routing.archives.tables import Archive, ArchivedTotal
from routing.cases.tables import (
    AUTOMATED,
    FAILURE,
    RANKS,
    SAID,
    THRESHOLDED,
    VERDICTS,
    ComparisonRow,
    Decision,
    DecisionKey,
    HumanOutput,
    Label,
)
from routing.domain.judging import JUDGE
from routing.drift.tables import AttributeTotal
from routing.gold.queries import GOLD
from routing.reviews.tables import ReviewItem, ReviewTrouble, Ruling
from routing.supervision.tables import BlindAnswer

Cohort = tuple[UUID, int, str, str, date]  # rollout, epoch, lane, segment, day
_COUNTERS = (
    "cases", "agreed", "overridden", "severe", "void",
    "invalid_output", "invalid_confidence", "minor", "low_confidence",
)  # fmt: skip
_EXAMPLES, _CHUNK = 5, 500


def lock_totals(session: Session) -> None:
    """
    Let nobody else move totals until the transaction ends.

    A settling that has marked its decisions and waits here adds its difference afterwards, on top of what we write.
    """
    if session.get_bind().dialect.name == "postgresql":  # on SQLite we are the only writer already
        session.execute(text("LOCK TABLE totals IN EXCLUSIVE MODE"))


def counted_and_stored(session: Session) -> tuple[dict[Cohort, Counts], dict[Cohort, Counts]]:
    """What the decisions and those that were archived add up to, and what the totals say, all seen in one statement."""
    recount = _recount(session.get_bind().dialect.name)
    found = _by_source(session, union_all(recount, _kept("counted", ArchivedTotal), _kept("stored", Total)))
    return found["counted"], found["stored"]


def _by_source(session: Session, wanted: Any) -> dict[str, dict[Cohort, Counts]]:
    found: dict[str, dict[Cohort, Counts]] = {"counted": {}, "stored": {}}
    for source, rollout_id, epoch, lane, segment, day, *counts in session.execute(wanted):
        cohort = (rollout_id, epoch, lane, segment, day if isinstance(day, date) else date.fromisoformat(day))
        counted = Counts(*(int(count) for count in counts))
        found[source][cohort] = found[source].get(cohort, Counts()) + counted
    return found


def _kept(source: str, table: Any, *where: ColumnElement[bool]) -> Select[Any]:
    names = ("rollout_id", "epoch", "lane", "segment", "day", *_COUNTERS)
    return select(literal(source), *(getattr(table, name) for name in names)).where(*where)


def next_stop(session: Session, after: UUID | None, rows: int) -> UUID | None:
    """The id at which so many more decisions are read; that of the last one where fewer are left, None for none."""
    ids = select(Decision.id).order_by(Decision.id).limit(rows)
    ids = ids if after is None else ids.where(Decision.id > after)
    some = ids.subquery()
    return session.scalar(select(some.c.id).order_by(some.c.id.desc()).limit(1))


def recount_between(session: Session, after: UUID | None, stop: UUID) -> dict[Cohort, Counts]:
    wanted = _recount(session.get_bind().dialect.name).where(Decision.id <= stop)
    return _by_source(session, wanted if after is None else wanted.where(Decision.id > after))["counted"]


def archived_and_stored(session: Session) -> tuple[dict[Cohort, Counts], dict[Cohort, Counts]]:
    found = _by_source(session, union_all(_kept("counted", ArchivedTotal), _kept("stored", Total)))
    return found["counted"], found["stored"]


def counted_and_stored_on(
    session: Session, rollout_id: UUID, day: date
) -> tuple[dict[Cohort, Counts], dict[Cohort, Counts]]:
    """As `counted_and_stored`, of one version and day, by way of the index on agent and time."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    agent = select(Rollout.agent).where(Rollout.id == rollout_id).scalar_subquery()
    on_day = and_(Decision.agent == agent, Decision.decided_at >= begin, Decision.decided_at < begin + timedelta(1))
    recount = _recount(session.get_bind().dialect.name).where(Decision.rollout_id == rollout_id, on_day)
    of_day = [_kept(source, table, table.rollout_id == rollout_id, table.day == day) for source, table in _KEPT]
    found = _by_source(session, union_all(recount, *of_day))
    return found["counted"], found["stored"]


_KEPT: tuple[tuple[str, Any], ...] = (("counted", ArchivedTotal), ("stored", Total))


def _recount(dialect: str) -> Select[Any]:
    """What settling would have added for every decision that it counted."""
    day = utc_day(Decision.decided_at, dialect).label("day")
    key = (Decision.rollout_id, Decision.epoch, Decision.lane, Decision.segment, day)
    counts = (
        func.count(),
        _number(Decision.counted_as == "agree"),
        _number(Decision.counted_as.in_(("override", "severe", "minor"))),
        _number(Decision.counted_as == "severe"),
        _number(Decision.counted_as == "void"),
        _number(Decision.output_valid.is_(False)),
        _number(Decision.confidence_given.is_not(None)),
        _number(Decision.counted_as == "minor"),
        _number(_low_confidence()),
    )
    counted = and_(Decision.rollout_id.is_not(None), Decision.counted_as.is_not(None), Decision.counted_as != "nothing")
    return select(literal("counted"), *key, *counts).where(counted).group_by(*key)


def _low_confidence() -> ColumnElement[bool]:
    """As `settling.low_confidence` has it."""
    below = or_(Decision.threshold.is_(None), Decision.confidence.is_(None), Decision.confidence < Decision.threshold)
    return and_(Decision.phase.in_(AUTOMATED), Decision.lane.in_(THRESHOLDED), below)


def _number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def kinds_counted_wrongly(session: Session) -> tuple[int, Sequence[str]]:
    """
    Days of a version on which not every case was counted by attribute, once. Each case has a confidence or none.

    Cases that an earlier release has counted are in no such count, so the first day may hold fewer than there were.
    """
    dialect = session.get_bind().dialect.name
    day = utc_day(Decision.decided_at, dialect).label("day")
    new = and_(Decision.rollout_id.is_not(None), Decision.counted_as.is_not(None), Decision.attempt == 1)
    counted = select(literal("counted"), Decision.rollout_id, day, func.count()).where(new)
    stored = select(literal("stored"), AttributeTotal.rollout_id, AttributeTotal.day, func.sum(AttributeTotal.cases))
    stored = stored.where(AttributeTotal.attribute == "confidence")
    left = select(
        literal("counted"), ArchivedTotal.rollout_id, ArchivedTotal.day, func.sum(ArchivedTotal.first_attempts)
    )
    both = union_all(
        counted.group_by(Decision.rollout_id, day),
        left.group_by(ArchivedTotal.rollout_id, ArchivedTotal.day),
        stored.group_by(AttributeTotal.rollout_id, AttributeTotal.day),
    )
    found: dict[str, dict[tuple[UUID, str], int]] = {"counted": {}, "stored": {}}
    for source, rollout_id, at, cases in session.execute(both):
        found[source][rollout_id, str(at)] = found[source].get((rollout_id, str(at)), 0) + int(cases)
    first: dict[UUID, str] = {}
    for rollout_id, at in found["stored"]:
        first[rollout_id] = min(at, first.get(rollout_id, at))
    wrong = [
        f"rollout {rollout_id}, {at}"
        for rollout_id, at in sorted({*found["counted"], *found["stored"]}, key=str)
        if _differs(found, (rollout_id, at), first.get(rollout_id, ""))
    ]
    return len(wrong), wrong[:_EXAMPLES]


def _differs(found: dict[str, dict[tuple[UUID, str], int]], place: tuple[UUID, str], first: str) -> bool:
    counted, stored = found["counted"].get(place, 0), found["stored"].get(place, 0)
    return stored != counted if first and place[1] > first else stored > counted


def replace_totals(session: Session, counted: dict[Cohort, Counts]) -> None:
    session.execute(delete(Total))
    names = ("rollout_id", "epoch", "lane", "segment", "day")
    rows = [
        dict(zip(names, cohort, strict=True)) | {name: getattr(counts, name) for name in _COUNTERS}
        for cohort, counts in counted.items()
    ]
    if rows:
        session.execute(insert(Total), rows)


_COUNTING = [source for source, rank in RANKS.items() if rank >= 0 and source != FAILURE]
_HARM = ("minor", "override", "severe")
"""As what an override is counted, and how bad it is by its place."""


def _verdict_that_counts() -> ColumnElement[str | None]:
    """As `settling.that_counts` has it."""
    label, failure = aliased(Label), aliased(Label)
    # A label of an earlier human output does not stand in for one that could not be compared.
    failed = and_(label.source == "human_output", _comparison_failed())
    severe = and_(label.verdict == "override", label.severity == "severe")
    minor = and_(label.verdict == "override", label.severity == "minor")
    ruled = (
        select(case((severe, "severe"), (minor, "minor"), else_=label.verdict))
        .where(label.decision_id == Decision.id, label.source.in_(_COUNTING), not_(failed))
        .order_by(case(RANKS, value=label.source).desc(), label.at.desc(), label.id.desc())
        .limit(1)
        .correlate(Decision)
        .scalar_subquery()
    )
    harm = case((failure.severity == "severe", 2), (failure.severity == "minor", 0), else_=1)
    reported = (
        select(func.max(harm))
        .where(failure.decision_id == Decision.id, failure.source == FAILURE)
        .correlate(Decision)
        .scalar_subquery()
    )
    worst = [(or_(reported == place, ruled == word), word) for place, word in enumerate(_HARM)]
    return case((reported.is_(None), ruled), *reversed(worst))


def _counted_wrongly() -> ColumnElement[bool]:
    verdict = _verdict_that_counts()
    right = case(
        (or_(Decision.rollout_id.is_(None), _has_earlier_verdict()), "nothing"),
        else_=func.coalesce(verdict, case((Decision.superseded_by.is_not(None), "void"), else_="pending")),
    )
    return and_(Decision.unsettled.is_(False), Decision.counted_as.is_distinct_from(right))


def _has_earlier_verdict() -> ColumnElement[bool]:
    """Whether an earlier attempt of the case is counted with a verdict, so that this one is no evidence."""
    earlier = aliased(Decision)
    of_case = [getattr(DecisionKey, name) == getattr(Decision, name) for name in ("agent", "case_id", "version")]
    same = [getattr(earlier, name) == getattr(Decision, name) for name in ("rollout_id", "epoch")]
    found = select(earlier.id).join(DecisionKey, DecisionKey.decision_id == earlier.id)
    found = found.where(*of_case, *same, DecisionKey.attempt < Decision.attempt, earlier.counted_as.in_(VERDICTS))
    return and_(Decision.attempt > 1, found.correlate(Decision).exists())


def _comparison_failed() -> ColumnElement[bool]:
    """Whether a decision could not be compared with the human output in force."""
    current = and_(HumanOutput.id == ComparisonRow.human_output_id, HumanOutput.superseded.is_(False))
    failed = select(ComparisonRow.id).join(HumanOutput, current)
    failed = failed.where(ComparisonRow.decision_id == Decision.id, ComparisonRow.kind == "error")
    return failed.correlate(Decision).exists()


def counted_wrongly(session: Session) -> tuple[int, Sequence[UUID]]:
    """Settled decisions that are not counted as the label that counts and their earlier attempts say."""
    return _found(session, select(Decision.id).where(_counted_wrongly()))


def mark_unsettled(session: Session) -> int:
    """Give decisions that are counted wrongly to the next settling."""
    marked = update(Decision).where(_counted_wrongly()).values(unsettled=True).returning(Decision.id)
    return len(session.scalars(marked.execution_options(synchronize_session=False)).all())


def without_item(session: Session) -> tuple[int, Sequence[UUID]]:
    """Decisions somebody should look at (route review, or drawn for audit) that are in no queue."""
    first = and_(ReviewItem.decision_id == Decision.id, ReviewItem.level == 1, ReviewItem.kind == Decision.lane)
    wanted = Decision.lane.in_(("review", "audit")), Decision.superseded_by.is_(None), ReviewItem.id.is_(None)
    return _found(session, select(Decision.id).outerjoin(ReviewItem, first).where(*wanted))


def without_decision(session: Session) -> tuple[int, Sequence[UUID]]:
    """Review items of decisions that are not there, or that nobody needs to look at."""
    leaving = _is_leaving(ReviewItem, Archive.agent == ReviewItem.agent)
    not_in_its_lane = and_(ReviewItem.kind.in_(("review", "audit")), Decision.lane != ReviewItem.kind)
    lost = or_(and_(Decision.id.is_(None), not_(leaving)), not_in_its_lane)
    joined = select(ReviewItem.id).outerjoin(Decision, Decision.id == ReviewItem.decision_id)
    joined = joined.where(ReviewItem.kind != GOLD)  # which is of none
    return _found(session, joined.where(lost))


def _open_on_superseded() -> ColumnElement[bool]:
    gone = select(Decision.id).where(Decision.superseded_by.is_not(None))
    return and_(ReviewItem.state == "waiting", ReviewItem.decision_id.in_(gone))


def open_on_superseded(session: Session) -> tuple[int, Sequence[UUID]]:
    return _found(session, select(ReviewItem.id).where(_open_on_superseded()))


def end_open_on_superseded(session: Session, now: datetime) -> int:
    ended = update(ReviewItem).where(_open_on_superseded()).values(state="superseded", ended_at=now)
    ended = ended.returning(ReviewItem.id).execution_options(synchronize_session=False)
    return len(session.scalars(ended).all())


def ended_otherwise(session: Session) -> tuple[int, Sequence[UUID]]:
    """Rulings that can no longer be undone and did not become the outcome of their decision."""
    ruled = ("approved", "edited", "rejected")
    wanted = (
        ReviewItem.kind == "review",
        ReviewItem.state.in_(ruled),
        ReviewItem.concludes_at.is_(None),
        Decision.superseded_by.is_(None),
        Decision.outcome.is_distinct_from(ReviewItem.state),
    )
    joined = select(ReviewItem.id).join(Decision, Decision.id == ReviewItem.decision_id)
    return _found(session, joined.where(*wanted))


def written_otherwise(session: Session) -> tuple[int, Sequence[str]]:
    """
    Outputs of people, in rulings and in answers given before the agent's was seen, other than the audit log has it.
    What it says nothing of (gold cases, events of former releases) is passed over.
    """
    found: list[str] = []
    by_hand = (select(Ruling).where(Ruling.ruling.in_(("edit", JUDGE))), Ruling), (select(BlindAnswer), BlindAnswer)
    for wanted, kind in by_hand:
        after: UUID | None = None
        while rows := session.scalars(
            (wanted if after is None else wanted.where(kind.id > after)).order_by(kind.id).limit(_CHUNK)
        ).all():
            recorded = _recorded(session, [str(row.item_id) for row in rows])
            for row in rows:
                known = recorded.get(str(row.item_id))
                if known and sha256_of(row.output) not in known:
                    found.append(f"item {row.item_id}, by {row.login}")
            after = rows[-1].id
            session.expunge_all()
    return len(found), found[:_EXAMPLES]


def _recorded(session: Session, items: Sequence[str]) -> dict[str, set[str]]:
    """The digests of outputs that the audit log has of these."""
    found: dict[str, set[str]] = {}
    wanted = select(AuditEvent.subject, AuditEvent.detail).where(AuditEvent.subject.in_(items))
    for subject, detail in session.execute(wanted):
        if "output_sha256" in detail:
            found.setdefault(subject, set()).add(detail["output_sha256"])
    return found


def in_trouble(session: Session) -> tuple[int, Sequence[str]]:
    """Open reviews with which a sweep could not do what it does with others."""
    is_open = or_(ReviewItem.state == "waiting", ReviewItem.concludes_at.is_not(None))
    joined = select(ReviewTrouble).join(ReviewItem, ReviewItem.id == ReviewTrouble.item_id).where(is_open)
    rows = session.scalars(joined.order_by(ReviewTrouble.since)).all()
    return len(rows), [f"{row.item_id}: {row.step}, tried {row.attempts} times: {row.problem}" for row in rows[:5]]


def cases_without_one_current_output(session: Session) -> tuple[int, Sequence[str]]:
    """Cases whose human outputs do not have exactly one that is in force."""
    current = func.sum(case((HumanOutput.superseded.is_(False), 1), else_=0))
    grouped = select(HumanOutput.case_id).group_by(HumanOutput.agent, HumanOutput.case_id).having(current != 1)
    return _found(session, grouped)


def attempts_with_gaps(session: Session) -> tuple[int, Sequence[str]]:
    """Cases whose attempts are not 1, 2, 3 … with only the last one in force; of archived ones only the number."""
    key = (DecisionKey.agent, DecisionKey.case_id, DecisionKey.version)
    in_force = func.sum(case((and_(Decision.id.is_not(None), Decision.superseded_by.is_(None)), 1), else_=0))
    number = func.coalesce(Decision.attempt, DecisionKey.attempt)
    all_there = func.count(Decision.id) == func.count()
    broken = or_(func.max(number) != func.count(), and_(all_there, in_force != 1))
    repeated = or_(Decision.attempt > 1, Decision.superseded_by.is_not(None))
    several = select(Decision.agent, Decision.case_id, Decision.version).where(repeated).distinct().subquery()
    same = and_(*(column == several.c[column.key] for column in key))
    found = select(DecisionKey.case_id).join(several, same)
    found = found.outerjoin(Decision, Decision.id == DecisionKey.decision_id)
    return _found(session, found.group_by(*key).having(broken))


def without_key(session: Session) -> tuple[int, Sequence[UUID]]:
    """Decisions that the once-only rule does not know: their case could be decided again."""
    names = ("agent", "case_id", "version")
    same = and_(
        DecisionKey.decision_id == Decision.id,
        *(getattr(DecisionKey, name) == getattr(Decision, name) for name in names),
    )
    return _found(session, select(Decision.id).outerjoin(DecisionKey, same).where(DecisionKey.decision_id.is_(None)))


def beyond_all_months(session: Session) -> tuple[int, Sequence[UUID]]:
    """Decisions for whose month no partition was made, on PostgreSQL."""
    connection = session.connection()
    if not partitions.names(connection, Decision.__tablename__):
        return 0, ()
    return _found(session, select(column("id")).select_from(table(f"{Decision.__tablename__}_{partitions.REST}")))


def labels_without_decision(session: Session) -> tuple[int, Sequence[UUID]]:
    lost = select(Label.id).outerjoin(Decision, Decision.id == Label.decision_id).where(Decision.id.is_(None))
    return _found(session, lost.where(not_(_is_leaving(Label))))


def several_marked_wrongly(session: Session) -> tuple[int, Sequence[UUID]]:
    said = select(Label.decision_id).where(Label.verdict.in_(SAID))
    several = said.group_by(Label.decision_id).having(func.count() > 1)
    wrong = Decision.several_verdicts.is_distinct_from(Decision.id.in_(several))
    return _found(session, select(Decision.id).where(Decision.unsettled.is_(False), wrong))


def labels_not_counted(session: Session) -> tuple[int, Sequence[UUID]]:
    joined = select(Label.id).join(Decision, Decision.id == Label.decision_id)
    return _found(session, joined.where(Label.counted.is_(False), Decision.unsettled.is_(False)))


def _is_leaving(table: Any, *more: ColumnElement[bool]) -> ColumnElement[bool]:
    """Of a month that is being dropped, decisions go first."""
    within = and_(Archive.first_id <= table.decision_id, Archive.last_id >= table.decision_id)
    return select(Archive.id).where(Archive.dropped_at.is_(None), within, *more).correlate(table).exists()


def backlog(session: Session) -> tuple[int, datetime | None]:
    """How many decisions wait to be settled, and since when the oldest does."""
    row = session.execute(select(func.count(), func.min(Decision.decided_at)).where(marked(Decision.unsettled))).one()
    return row[0], row[1]


def evidence_after(session: Session, after: UUID | None, limit: int) -> Sequence[EvidenceSnapshot]:
    wanted = select(EvidenceSnapshot).order_by(EvidenceSnapshot.id).limit(limit)
    return session.scalars(wanted if after is None else wanted.where(EvidenceSnapshot.id > after)).all()


def _found(session: Session, wanted: Select[Any]) -> tuple[int, Sequence[Any]]:
    """How many there are, and the first few."""
    inner = wanted.subquery()
    count = session.scalar(select(func.count()).select_from(inner)) or 0
    return count, session.scalars(select(inner.c[0]).limit(_EXAMPLES)).all() if count else ()
