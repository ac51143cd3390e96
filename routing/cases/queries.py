"""Statements on decisions, human outputs, comparisons and labels."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, tuple_, update
from sqlalchemy.orm import Session, load_only

from kit.dialects import insert_new, skip_locked
from kit.errors import NotFound
from routing.cases.tables import ComparisonRow, Decision, HumanOutput, Label
from routing.reviews.tables import ReviewItem

_SETTLED_BY = (
    Decision.agent,
    Decision.case_id,
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
)
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


def unsettled(session: Session, limit: int) -> list[Decision]:
    """
    Decisions whose label or count may have to move, oldest first, none that another worker holds.

    Without what settling does not look at: inputs and traces are large, and cost more to read than all the rest.
    """
    statement = select(Decision).where(Decision.unsettled.is_(True)).order_by(Decision.id).limit(limit)
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


def newest_labels(session: Session, decision_ids: Sequence[UUID]) -> dict[UUID, Label]:
    """The label that counts, per decision: the one given last."""
    found: dict[UUID, Label] = {}
    for start in range(0, len(decision_ids), CHUNK):
        statement = select(Label).where(Label.decision_id.in_(decision_ids[start : start + CHUNK]))
        for row in session.scalars(statement.order_by(Label.at, Label.id)):
            found[row.decision_id] = row
    return found


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


def supersede_open_items(session: Session, decision_id: UUID, now: datetime) -> None:
    """
    End the open review items of a decision that a new attempt replaced.

    They are locked first, in a statement of its own: one that a ruling is just escalating is then seen.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(ReviewItem.id).where(ReviewItem.decision_id == decision_id).with_for_update())
    session.execute(
        update(ReviewItem)
        .where(ReviewItem.decision_id == decision_id, ReviewItem.state == "waiting")
        .values(state="superseded", ended_at=now)
        .execution_options(synchronize_session=False)
    )


def highest_revisions(session: Session, agent: str, case_ids: Sequence[str]) -> dict[str, int]:
    """The newest revision of the human output of each case."""
    statement = (
        select(HumanOutput.case_id, func.max(HumanOutput.revision))
        .where(HumanOutput.agent == agent, HumanOutput.case_id.in_(case_ids))
        .group_by(HumanOutput.case_id)
    )
    return dict(session.execute(statement).all())
