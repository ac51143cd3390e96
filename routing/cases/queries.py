"""Statements on decisions, human outputs, comparisons and labels."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import and_, func, insert, select, tuple_, update
from sqlalchemy.orm import Session, aliased, load_only

from kit.dialects import insert_new, skip_locked
from kit.errors import NotFound
from routing.cases.tables import RANKS, ComparisonRow, Decision, HumanOutput, Label
from routing.reviews.tables import ReviewItem

_SETTLED_BY = (
    Decision.agent,
    Decision.case_id,
    Decision.version,
    Decision.attempt,
    Decision.output,
    Decision.output_valid,
    Decision.confidence_given,
    Decision.rollout_id,
    Decision.epoch,
    Decision.lane,
    Decision.segment,
    Decision.decided_at,
    Decision.superseded_by,
    Decision.counted_as,
    Decision.phase,
    Decision.confidence,
    Decision.threshold,
    Decision.attributes,
)


class Attempt(NamedTuple):
    """What counting the others of its case needs to know of one."""

    agent: str
    case_id: str
    version: str
    attempt: int
    rollout_id: UUID | None
    epoch: int | None
    counted_as: str | None


CHUNK = 400  # keys in one IN list; SQLite takes 32,766 variables, four a key


def insert_decisions(session: Session, rows: Sequence[dict[str, Any]]) -> set[UUID]:
    """Insert what is not there yet, by case, version and attempt; the ids that were inserted."""
    statement = insert_new(session.get_bind().dialect.name, Decision.__table__).returning(Decision.__table__.c.id)
    return set(session.scalars(statement, list(rows)))


def insert_rows(session: Session, table: Any, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        session.execute(insert(table), list(rows))


def decisions_by_key(session: Session, keys: Sequence[tuple[str, str, str, int]]) -> list[Decision]:
    """The stored decisions of (agent, case_id, version, attempt) keys."""
    key = tuple_(Decision.agent, Decision.case_id, Decision.version, Decision.attempt)
    found: list[Decision] = []
    for start in range(0, len(keys), CHUNK):
        found += session.scalars(select(Decision).where(key.in_(keys[start : start + CHUNK])))
    return found


def get_decision(session: Session, decision_id: UUID, agent: str | None = None) -> Decision:
    """The decision; one of another agent is as good as none to an agent's key."""
    row = session.get(Decision, decision_id)
    if row is None or (agent is not None and row.agent != agent):
        raise NotFound(f"there is no decision {decision_id}")
    return row


def lock_decision(session: Session, decision_id: UUID) -> None:
    """Until the end of the transaction nobody else passes here with the same decision."""
    session.execute(select(Decision.id).where(Decision.id == decision_id).with_for_update())


def insert_human_outputs(session: Session, rows: Sequence[dict[str, Any]]) -> set[UUID]:
    """Insert what is not there yet, by case and revision; the ids that were inserted."""
    statement = insert_new(session.get_bind().dialect.name, HumanOutput.__table__)
    return set(session.scalars(statement.returning(HumanOutput.__table__.c.id), list(rows)))


def supersede_human_outputs(session: Session, ids: Sequence[UUID]) -> None:
    """Bulk update by primary key."""
    if ids:
        session.execute(update(HumanOutput), [{"id": one, "superseded": True} for one in ids])


def latest_attempt(session: Session, agent: str, case_id: str, version: str) -> Decision | None:
    return session.scalar(
        select(Decision)
        .where(Decision.agent == agent, Decision.case_id == case_id, Decision.version == version)
        .order_by(Decision.attempt.desc())
        .limit(1)
    )


def decisions_of_case(session: Session, agent: str, case_id: str) -> Sequence[Decision]:
    return session.scalars(
        select(Decision).where(Decision.agent == agent, Decision.case_id == case_id).order_by(Decision.id)
    ).all()


def decision_page(
    session: Session, agent: str, *, case_id: str | None, after: UUID | None, limit: int
) -> Sequence[Decision]:
    """Newest first; one more than asked for tells that there is a next page."""
    statement = select(Decision).where(Decision.agent == agent).order_by(Decision.id.desc()).limit(limit + 1)
    if case_id is not None:
        statement = statement.where(Decision.case_id == case_id)
    if after is not None:
        statement = statement.where(Decision.id < after)
    return session.scalars(statement).all()


def unsettled(session: Session, agents: Collection[str], limit: int) -> list[Decision]:
    """
    Decisions of these agents whose label or count may have to move, oldest first, none that another worker holds.

    Without what settling does not look at: inputs and traces are large, and cost more to read than all the rest.
    """
    wanted = Decision.unsettled.is_(True), Decision.agent.in_(agents)
    statement = select(Decision).where(*wanted).order_by(Decision.id).limit(limit)
    statement = statement.options(load_only(*_SETTLED_BY))
    return list(session.scalars(skip_locked(statement, session.get_bind().dialect.name)))


def unsettle_for(session: Session, outputs: Sequence[HumanOutput]) -> None:
    """Mark the decisions of these cases, so that the next settling compares them."""
    by_agent: dict[str, list[str]] = {}
    for output in outputs:
        by_agent.setdefault(output.agent, []).append(output.case_id)
        output.unsettled = False
    for agent, cases in by_agent.items():
        for start in range(0, len(cases), CHUNK):
            session.execute(
                update(Decision)
                .where(Decision.agent == agent, Decision.case_id.in_(cases[start : start + CHUNK]))
                .values(unsettled=True)
                .execution_options(synchronize_session=False)
            )


def unsettled_human_outputs(session: Session, limit: int) -> list[HumanOutput]:
    statement = select(HumanOutput).where(HumanOutput.unsettled.is_(True)).order_by(HumanOutput.id).limit(limit)
    return list(session.scalars(skip_locked(statement, session.get_bind().dialect.name)))


def current_human_outputs(session: Session, agent: str, case_ids: Iterable[str]) -> dict[str, HumanOutput]:
    """The newest human output of each of these cases."""
    cases = list(case_ids)
    found: dict[str, HumanOutput] = {}
    for start in range(0, len(cases), CHUNK):
        statement = select(HumanOutput).where(
            HumanOutput.agent == agent,
            HumanOutput.case_id.in_(cases[start : start + CHUNK]),
            HumanOutput.superseded.is_(False),
        )
        for row in session.scalars(statement):
            if row.case_id not in found or row.revision > found[row.case_id].revision:
                found[row.case_id] = row
    return found


def human_outputs_of_case(session: Session, agent: str, case_id: str) -> Sequence[HumanOutput]:
    return session.scalars(
        select(HumanOutput)
        .where(HumanOutput.agent == agent, HumanOutput.case_id == case_id)
        .order_by(HumanOutput.revision)
    ).all()


def compared_pairs(session: Session, decision_ids: Sequence[UUID]) -> dict[tuple[UUID, UUID], str]:
    """(decision, human output) pairs that were compared already, with the kind of what was found."""
    found: dict[tuple[UUID, UUID], str] = {}
    for start in range(0, len(decision_ids), CHUNK):
        statement = select(ComparisonRow.decision_id, ComparisonRow.human_output_id, ComparisonRow.kind).where(
            ComparisonRow.decision_id.in_(decision_ids[start : start + CHUNK])
        )
        found |= {(decision, output): kind for decision, output, kind in session.execute(statement)}
    return found


def labels_that_count(
    session: Session, decision_ids: Sequence[UUID], not_compared: Collection[UUID]
) -> dict[UUID, Label]:
    """
    The label that counts, per decision: of the highest rank, and of those the one given last.

    What was said of an earlier human output does not stand in for one that could not be compared.
    """
    found: dict[UUID, Label] = {}
    for start in range(0, len(decision_ids), CHUNK):
        statement = select(Label).where(Label.decision_id.in_(decision_ids[start : start + CHUNK]))
        for row in session.scalars(statement.order_by(Label.at, Label.id)):
            if row.source == "human_output" and row.decision_id in not_compared:
                continue
            before = found.get(row.decision_id)
            if before is None or RANKS[row.source] >= RANKS[before.source]:
                found[row.decision_id] = row
    return found


def superseded_after_people(session: Session, decision_ids: Sequence[UUID]) -> set[UUID]:
    """Those of these superseded decisions that had a human output to be held against when they were replaced."""
    later = aliased(Decision)
    found: set[UUID] = set()
    for start in range(0, len(decision_ids), CHUNK):
        statement = (
            select(Decision.id)
            .join(later, later.id == Decision.superseded_by)
            .join(HumanOutput, and_(HumanOutput.agent == Decision.agent, HumanOutput.case_id == Decision.case_id))
            .where(Decision.id.in_(decision_ids[start : start + CHUNK]))
            .where(HumanOutput.revision == 1, HumanOutput.stored_at <= later.decided_at)
        )
        found |= set(session.scalars(statement))
    return found


def attempts_with(session: Session, rows: Sequence[Decision]) -> tuple[list[Attempt], set[tuple[str, str, str]]]:
    """
    All attempts of the cases of these decisions as they are counted now, and the cases (agent, case_id, version) of
    which another worker is settling an attempt, whose count is therefore about to change.

    Those that nobody holds are kept from being settled until the transaction ends, by a lock that stops only that:
    an update of another column, such as the mark that asks for settling, goes through.
    """
    key = tuple_(Decision.agent, Decision.case_id, Decision.version)
    keys = list({(row.agent, row.case_id, row.version) for row in rows})
    found: list[Attempt] = []
    stored: Counter[tuple[str, str, str]] = Counter()
    for start in range(0, len(keys), CHUNK):
        chain = key.in_(keys[start : start + CHUNK])
        free = select(*(getattr(Decision, name) for name in Attempt._fields)).where(chain)
        if session.get_bind().dialect.name == "postgresql":
            free = free.with_for_update(read=True, key_share=True, skip_locked=True)
        found += [Attempt(*row) for row in session.execute(free)]
        counts = select(Decision.agent, Decision.case_id, Decision.version, func.count()).where(chain)
        for agent, case_id, version, count in session.execute(counts.group_by(*counts.selected_columns[:3])):
            stored[agent, case_id, version] = count
    free_ones = Counter(row[:3] for row in found)
    return found, {case for case, count in stored.items() if free_ones[case] < count}


def unsettle_attempts(session: Session, rows: Sequence[Decision]) -> None:
    """
    Mark the later attempts of these decisions, whose verdict came or went.

    What another worker settles just now is left out: `attempts_with` tells it that we hold one, so it leaves the mark.
    """
    key = tuple_(Decision.agent, Decision.case_id, Decision.version)
    keys = list({(row.agent, row.case_id, row.version) for row in rows})
    for start in range(0, len(keys), CHUNK):
        later = select(Decision.id).where(key.in_(keys[start : start + CHUNK]), Decision.attempt > 1)
        if session.get_bind().dialect.name == "postgresql":
            later = later.with_for_update(key_share=True, skip_locked=True)
        ids = session.scalars(later).all()
        marked = update(Decision).where(Decision.id.in_(ids)).values(unsettled=True)
        session.execute(marked.execution_options(synchronize_session=False))


def labels_of(session: Session, decision_ids: Sequence[UUID]) -> Sequence[Label]:
    return session.scalars(select(Label).where(Label.decision_id.in_(decision_ids)).order_by(Label.at, Label.id)).all()


def comparisons_of(session: Session, decision_ids: Sequence[UUID]) -> Sequence[ComparisonRow]:
    return session.scalars(
        select(ComparisonRow).where(ComparisonRow.decision_id.in_(decision_ids)).order_by(ComparisonRow.id)
    ).all()


def update_settled(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Bulk update by primary key of what settling found."""
    if rows:
        session.execute(update(Decision), list(rows))


def end_open_items(session: Session, decision_id: UUID, now: datetime, *, state: str, kind: str | None = None) -> None:
    """
    End the open review items of a decision, or those of one kind, that nobody has to rule on any more.

    They are locked first, in a statement of its own: one that a ruling is just escalating is then seen.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(ReviewItem.id).where(ReviewItem.decision_id == decision_id).with_for_update())
    ended = update(ReviewItem).where(ReviewItem.decision_id == decision_id, ReviewItem.state == "waiting")
    if kind is not None:
        ended = ended.where(ReviewItem.kind == kind)
    session.execute(ended.values(state=state, ended_at=now).execution_options(synchronize_session=False))
