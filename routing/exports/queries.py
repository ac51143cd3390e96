"""
Statements of exports. Each looks at a bounded number of rows, by id or by the index of an agent's decisions, so that no
export is one long statement and none needs more memory than its next few rows.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import LargeBinary, Text, cast, func, select, tuple_
from sqlalchemy.orm import Session, load_only

from kit.dialects import among
from rollout.failures.tables import Failure
from routing.cases.tables import Decision, HumanOutput, Label
from routing.reviews.tables import ReviewItem, Ruling

WINDOW = 2000
"""Rows of which the ids are looked at in one statement."""

_KINDS = ("review", "audit", "second", "adjudication", "judgement")


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rows: of an agent, perhaps of one version, from a moment on and before another."""

    agent: str
    version: str | None
    since: datetime | None
    until: datetime | None

    def holds(self, at: datetime) -> bool:
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


class DecisionPlace(NamedTuple):
    """A decision in the order of an agent's decisions."""

    decided_at: datetime
    id: UUID
    version: str
    label: str | None


class RulingPlace(NamedTuple):
    """A ruling in the order of all rulings."""

    id: UUID
    item_id: UUID
    at: datetime


def next_decisions(session: Session, scope: Scope, after: DecisionPlace | None) -> Sequence[DecisionPlace]:
    """
    The next ones in time, of all versions: one that is rare would be looked for through everything. Whoever filters
    them goes on from the last one.
    """
    wanted = select(Decision.decided_at, Decision.id, Decision.version, Decision.label)
    wanted = wanted.where(Decision.agent == scope.agent)
    if scope.until is not None:
        wanted = wanted.where(Decision.decided_at < scope.until)
    if after is not None:
        wanted = wanted.where(tuple_(Decision.decided_at, Decision.id) > after[:2])
    elif scope.since is not None:
        wanted = wanted.where(Decision.decided_at >= scope.since)
    ordered = wanted.order_by(Decision.decided_at, Decision.id).limit(WINDOW)
    return [DecisionPlace(*row) for row in session.execute(ordered)]


def next_rulings(session: Session, after: UUID | None) -> Sequence[RulingPlace]:
    """Of all agents: rulings do not name theirs."""
    wanted = select(Ruling.id, Ruling.item_id, Ruling.at).order_by(Ruling.id).limit(WINDOW)
    wanted = wanted.where(Ruling.id > after) if after is not None else wanted
    return [RulingPlace(*row) for row in session.execute(wanted)]


def items_in(session: Session, scope: Scope, ids: Collection[UUID]) -> dict[UUID, ReviewItem]:
    """Those of the agent, and of cases that are its work."""
    wanted = _among(session, ReviewItem.id, ids), ReviewItem.agent == scope.agent, ReviewItem.kind.in_(_KINDS)
    found = select(ReviewItem).where(*wanted)
    found = found.where(ReviewItem.version == scope.version) if scope.version is not None else found
    return {row.id: row for row in session.scalars(found)}


def rulings_with(session: Session, ids: Collection[UUID]) -> dict[UUID, Ruling]:
    return {row.id: row for row in session.scalars(select(Ruling).where(_among(session, Ruling.id, ids)))}


def decisions_with(session: Session, ids: Collection[UUID], columns: Collection[Any]) -> dict[UUID, Decision]:
    """Without what is not asked for: inputs and traces are large."""
    wanted = select(Decision).where(_among(session, Decision.id, ids)).options(load_only(*columns))
    return {row.id: row for row in session.scalars(wanted)}


def labels_of(session: Session, decision_ids: Collection[UUID]) -> Sequence[Label]:
    """In the order in which they were given."""
    wanted = select(Label).where(_among(session, Label.decision_id, decision_ids))
    return session.scalars(wanted.order_by(Label.at, Label.id)).all()


def failures_with(session: Session, ids: Collection[UUID]) -> dict[UUID, Failure]:
    wanted = select(Failure).where(_among(session, Failure.id, ids))
    return {row.id: row for row in session.scalars(wanted)}


def weights_of_rulings(session: Session, ids: Collection[UUID]) -> dict[UUID, int]:
    """How many bytes of JSON a line about each of these holds, about; without reading them into memory."""
    shown = select(_bytes(session, Decision.output)).where(Decision.id == Ruling.decision_id).scalar_subquery()
    weight = _bytes(session, Ruling.output) + func.coalesce(shown, 0)
    rows = session.execute(select(Ruling.id, weight).where(_among(session, Ruling.id, ids)))
    return {one: int(heavy) for one, heavy in rows}


def weights_of_decisions(session: Session, ids: Collection[UUID]) -> dict[UUID, int]:
    """The same of decisions, with all that may say what was right: rulings, human outputs, failures."""
    rulings = select(_bytes(session, Ruling.output)).join(ReviewItem, ReviewItem.id == Ruling.item_id)
    failures = select(_bytes(session, Failure.correct_output)).where(Failure.decision_id == Decision.id)
    people = select(_bytes(session, HumanOutput.output)).where(
        HumanOutput.agent == Decision.agent, HumanOutput.case_id == Decision.case_id, HumanOutput.superseded.is_(False)
    )
    weight = _bytes(session, Decision.input) + _bytes(session, Decision.output)
    for behind in (rulings.where(ReviewItem.decision_id == Decision.id), failures, people):
        each = behind.correlate(Decision).subquery()
        weight += select(func.coalesce(func.sum(each.c[0]), 0)).scalar_subquery()
    rows = session.execute(select(Decision.id, weight).where(_among(session, Decision.id, ids)))
    return {one: int(heavy) for one, heavy in rows}


def _bytes(session: Session, column: Any) -> Any:
    if session.get_bind().dialect.name == "postgresql":
        return func.coalesce(func.octet_length(cast(column, Text)), 0)
    return func.coalesce(func.length(cast(column, LargeBinary)), 0)


def _among(session: Session, column: Any, ids: Collection[UUID]) -> Any:
    return among(column, ids, session.get_bind().dialect.name)
