"""
Statements of exports. Each looks at a bounded number of rows, by id or by the index of an agent's decisions, so that no
export is one long statement and none needs more memory than its next few rows.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session, load_only

from kit.dialects import among
from rollout.failures.tables import Failure
from routing.cases.tables import Decision, Label
from routing.reviews.tables import ReviewItem, Ruling

WINDOW = 2000
"""Rows of which the ids are looked at in one statement."""

_KINDS = ("review", "audit")


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


def _among(session: Session, column: Any, ids: Collection[UUID]) -> Any:
    return among(column, ids, session.get_bind().dialect.name)
