"""Statements on archives: the months of decisions, what may leave, and where one went that is not here any more."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, exists, func, not_, or_, select, text
from sqlalchemy.orm import Session, aliased

from kit import partitions
from kit.clock import SystemClock
from kit.dialects import insert_or_add
from kit.errors import Gone
from rollout.agents.tables import Agent
from rollout.versions.tables import Rollout
from routing.archives.tables import Archive, ArchivedTotal
from routing.cases.tables import ComparisonRow, Decision, DecisionKey, HumanOutput, Label
from routing.delivery.tables import OutboxMessage
from routing.judgements.tables import Judgement
from routing.opinions.tables import SecondOpinion
from routing.reviews.tables import ReviewItem, Ruling
from routing.supervision.tables import BlindAnswer

CHUNK = 500
_FIRST_MONTH = date(2020, 1, 1)  # before there was anything to archive
_LABELLED = ("shadow", "review", "audit")  # the lanes that thresholds.queries.labelled reads
_COHORT = ("rollout_id", "epoch", "lane", "segment", "day")


class CaseArchived(Gone):
    code = "case-archived"
    title = "This case was archived"


def make_month(session: Session, month: date) -> bool:
    """True where the partition was made now. Gives up after two seconds: nobody who stores a decision waits longer."""
    connection = session.connection()
    if connection.dialect.name != "postgresql":
        return False
    connection.execute(text("SET LOCAL lock_timeout = '2s'"))
    return partitions.make(connection, Decision.__tablename__, month)


def archived(session: Session, agent: str, decision_id: UUID) -> CaseArchived:
    """The answer for a decision that is known to have been stored, with the files that may hold it."""
    wanted = select(Archive.name).where(
        Archive.agent == agent, Archive.first_id <= decision_id, Archive.last_id >= decision_id
    )
    names = list(session.scalars(wanted.order_by(Archive.part.desc())))
    words = f"decision {decision_id} was archived; `phasegate archive show {decision_id}` finds it"
    return CaseArchived(words, decision_id=str(decision_id), archives=names)


def refuse_archived(session: Session, decision_id: UUID, agent: str | None) -> None:
    """CaseArchived for a decision that was; of another agent it is as good as none to an agent's key."""
    covering = select(Archive.agent).where(Archive.first_id <= decision_id, Archive.last_id >= decision_id).distinct()
    agents = set(session.scalars(covering if agent is None else covering.where(Archive.agent == agent)))
    if not agents:
        return
    owner = session.scalar(select(DecisionKey.agent).where(DecisionKey.decision_id == decision_id).limit(1))
    if owner in agents:
        raise archived(session, str(owner), decision_id)


def all_agents(session: Session) -> Sequence[Agent]:
    return session.scalars(select(Agent).order_by(Agent.name)).all()


def rollouts_in_charge(session: Session, agent: str) -> Sequence[Rollout]:
    return session.scalars(select(Rollout).where(Rollout.agent == agent, Rollout.standing != "retired")).all()


def archives_of(session: Session, agent: str | None = None, *, open_only: bool = False) -> Sequence[Archive]:
    wanted = select(Archive).order_by(Archive.agent, Archive.month, Archive.part)
    wanted = wanted.where(Archive.agent == agent) if agent is not None else wanted
    return session.scalars(wanted.where(Archive.dropped_at.is_(None)) if open_only else wanted).all()


def holding(session: Session, decision_id: UUID) -> Sequence[Archive]:
    """The archives that may hold a decision, the newest first."""
    wanted = select(Archive).where(Archive.first_id <= decision_id, Archive.last_id >= decision_id)
    return session.scalars(wanted.order_by(Archive.created_at.desc(), Archive.part.desc())).all()


def ids_of_case(session: Session, agent: str, case_id: str) -> Sequence[UUID]:
    wanted = DecisionKey.agent == agent, DecisionKey.case_id == case_id
    return session.scalars(select(DecisionKey.decision_id).where(*wanted).order_by(DecisionKey.decision_id)).all()


def next_part(session: Session, agent: str, month: date) -> int:
    last = session.scalar(select(func.max(Archive.part)).where(Archive.agent == agent, Archive.month == month))
    return (last or 0) + 1


def months_before(session: Session, agent: str, cutoff: datetime) -> list[date]:
    """The months of storing in which an agent still has decisions of before this moment."""
    (earliest, _), (_, end) = partitions.bounds(_FIRST_MONTH), partitions.bounds(_present_month())
    here = Decision.id >= earliest, Decision.id < end  # what a wrong clock made is no month of ours
    ids = select(Decision.id).where(*here).limit(1)  # PostgreSQL knows no min() of ids
    first, last = session.scalar(ids.order_by(Decision.id)), session.scalar(ids.order_by(Decision.id.desc()))
    if first is None or last is None:
        return []
    month, end_month = (partitions.month_of(partitions.made_at(one)) for one in (first, last))
    found = []
    while month <= end_month:
        if session.scalar(select(exists().where(_of_month(agent, month, cutoff)))):
            found.append(month)
        month = partitions.after(month)
    return found


def _present_month() -> date:
    """By the machine's clock: ids are made by it."""
    return partitions.month_of(SystemClock().now())


def _of_month(agent: str, month: date, cutoff: datetime) -> ColumnElement[bool]:
    first, end = partitions.bounds(month)
    return and_(Decision.agent == agent, Decision.decided_at < cutoff, Decision.id >= first, Decision.id < end)


def _busy(decision: Any) -> ColumnElement[bool]:
    """Still to be counted, in a queue, or ruled on by somebody who may take it back."""
    is_open = or_(ReviewItem.state == "waiting", ReviewItem.concludes_at.is_not(None))
    waiting = exists().where(ReviewItem.decision_id == decision.id, is_open)
    return or_(decision.unsettled.is_(True), waiting)


def _may_leave(agent: str, month: date, cutoff: datetime, still_read: Collection[UUID]) -> ColumnElement[bool]:
    """Decided long ago, settled, ruled on, as all attempts of its case, and no label that a look will still read."""
    other = aliased(Decision)
    same_case = and_(
        DecisionKey.agent == Decision.agent,
        DecisionKey.case_id == Decision.case_id,
        DecisionKey.version == Decision.version,
    )
    stays = exists(
        select(other.id)
        .join(DecisionKey, DecisionKey.decision_id == other.id)
        .where(same_case, or_(other.decided_at >= cutoff, _busy(other)))
    )
    alone = and_(Decision.attempt == 1, Decision.superseded_by.is_(None))
    found = and_(_of_month(agent, month, cutoff), not_(_busy(Decision)), or_(alone, not_(stays)))
    if not still_read:
        return found
    is_label = and_(Decision.rollout_id.in_(still_read), Decision.lane.in_(_LABELLED), Decision.confidence.is_not(None))
    return and_(found, not_(is_label))


def leaving(
    session: Session,
    agent: str,
    month: date,
    cutoff: datetime,
    *,
    still_read: Collection[UUID],
    after: UUID | None,
) -> Sequence[Decision]:
    """The next decisions that may leave, in order of their ids."""
    wanted = select(Decision).where(_may_leave(agent, month, cutoff, still_read)).order_by(Decision.id).limit(CHUNK)
    return session.scalars(wanted if after is None else wanted.where(Decision.id > after)).all()


def count_leaving(session: Session, agent: str, month: date, cutoff: datetime, still_read: Collection[UUID]) -> int:
    wanted = select(func.count()).select_from(Decision).where(_may_leave(agent, month, cutoff, still_read))
    return session.scalar(wanted) or 0


def told_of_waiting(session: Session, agent: str) -> set[str]:
    """The decisions of which a message still has to be delivered; of the bodies their ids alone are fetched."""
    told = OutboxMessage.body["data", "id"].as_string()
    wanted = select(told).where(OutboxMessage.agent == agent, OutboxMessage.state == "waiting", told.is_not(None))
    return set(session.scalars(wanted.distinct()))


def decisions_with_ids(session: Session, ids: Sequence[UUID], *, lock: bool = False) -> dict[UUID, Decision]:
    wanted = select(Decision).where(Decision.id.in_(ids)).order_by(Decision.id)
    return {row.id: row for row in session.scalars(wanted.with_for_update() if lock else wanted)}


def rulings_of(session: Session, ids: Sequence[UUID]) -> Sequence[Ruling]:
    """By way of the items: rulings are not indexed by decision."""
    items = select(ReviewItem.id).where(ReviewItem.decision_id.in_(ids))
    return session.scalars(select(Ruling).where(Ruling.item_id.in_(items)).order_by(Ruling.at, Ruling.id)).all()


def by_decision(session: Session, table: Any, ids: Sequence[UUID]) -> Sequence[Any]:
    return session.scalars(select(table).where(table.decision_id.in_(ids)).order_by(table.id)).all()


def human_outputs_of(session: Session, agent: str, cases: Collection[str]) -> Sequence[HumanOutput]:
    wanted = HumanOutput.agent == agent, HumanOutput.case_id.in_(cases)
    return session.scalars(select(HumanOutput).where(*wanted).order_by(HumanOutput.revision)).all()


def delete_decisions(session: Session, ids: Sequence[UUID]) -> None:
    _run(session, delete(Decision).where(Decision.id.in_(ids)))


def delete_what_hung_on(session: Session, ids: Sequence[UUID]) -> None:
    """Of decisions that are gone."""
    items = select(ReviewItem.id).where(ReviewItem.decision_id.in_(ids))
    _run(session, delete(Ruling).where(Ruling.item_id.in_(items)))
    for table in (ReviewItem, Label, ComparisonRow, BlindAnswer, SecondOpinion, Judgement):
        _run(session, delete(table).where(table.decision_id.in_(ids)))


def delete_human_outputs(session: Session, agent: str, outputs: dict[UUID, str]) -> None:
    """These (id to case), unless a decision of their case is still here."""
    of_cases = DecisionKey.agent == agent, DecisionKey.case_id.in_(set(outputs.values()))
    ids = session.scalars(select(DecisionKey.decision_id).where(*of_cases)).all()
    here = set(session.scalars(select(Decision.case_id).where(Decision.id.in_(ids))))
    gone = [one for one, case_id in outputs.items() if case_id not in here]
    _run(session, delete(HumanOutput).where(HumanOutput.id.in_(gone)))


def _run(session: Session, statement: Any) -> None:
    session.execute(statement.execution_options(synchronize_session=False))


def add_archived_totals(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    table = ArchivedTotal.__table__
    counters = [column.name for column in table.columns if column.name not in _COHORT]
    if rows:
        session.execute(insert_or_add(session.get_bind().dialect.name, table, list(_COHORT), counters), list(rows))


def last_archived_day(session: Session, rollout_id: UUID) -> date | None:
    """Up to this day decisions of a version may be missing among the rows."""
    return session.scalar(select(func.max(ArchivedTotal.day)).where(ArchivedTotal.rollout_id == rollout_id))


def partition_of(session: Session, month: date) -> str | None:
    name = partitions.name_of(Decision.__tablename__, month)
    return name if name in partitions.names(session.connection(), Decision.__tablename__) else None


def rows_of(session: Session, name: str) -> tuple[int, int]:
    """
    How many decisions a month has, and a sum that is another as soon as one of them was written anew: each has a new
    place then, and the number of the transaction that wrote it. No document is unpacked for it.
    """
    rows = text(f"SELECT count(*), sum(hashtextextended(xmin || ' ' || ctid, 0)) FROM {name}")  # noqa: S608 - our own name
    there, written = session.execute(rows).one()
    return there, int(written or 0)


def lock_partition(session: Session, name: str) -> None:
    """Nobody changes a decision of the month until the transaction ends."""
    session.execute(text("SET LOCAL lock_timeout = '2s'"))
    session.execute(text(f"LOCK TABLE {name} IN SHARE MODE"))


def empty_partition(session: Session, name: str) -> None:
    """All rows at once; locks the month alone, so decisions go on being stored."""
    session.execute(text(f"TRUNCATE {name}"))


def drop_partition_if_empty(session: Session, name: str) -> bool:
    """Locks the whole table for a moment: nobody who stores a decision waits longer than a fifth of a second for it."""
    anything = text(f"SELECT 1 FROM {name} LIMIT 1")  # noqa: S608 - our own name
    if session.scalar(anything):
        return False
    session.execute(text("SET LOCAL lock_timeout = '200ms'"))
    session.execute(text(f"LOCK TABLE ONLY {Decision.__tablename__} IN ACCESS EXCLUSIVE MODE"))
    if session.scalar(anything):  # stored since by a host whose clock is behind
        return False
    session.execute(text(f"DROP TABLE {name}"))
    return True


def undropped(session: Session, month: date) -> Sequence[Archive]:
    return session.scalars(select(Archive).where(Archive.month == month, Archive.dropped_at.is_(None))).all()


def months_of_archives(session: Session) -> Sequence[date]:
    return session.scalars(select(Archive.month).distinct().order_by(Archive.month)).all()
