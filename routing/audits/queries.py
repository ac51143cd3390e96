"""Statements on what the audits of the automated lane found."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from routing.cases.tables import VERDICTS, Decision

_WRONG = VERDICTS - {"agree"}


class Drawn(NamedTuple):
    """Automated cases that were drawn for an audit with one probability: how many were, ruled on, and wrong."""

    probability: float
    cases: int
    drawn: int
    audited: int
    wrong: int


def drawn(
    session: Session, agent: str, rollout_id: UUID, *, first: datetime, end: datetime, epoch: int | None = None
) -> Sequence[Drawn]:
    """
    By probability, since rates change. Void cases and repeated attempts are left out, audited or not.

    A case that was not drawn speaks for nobody but itself, whatever else is known of it.
    """
    audit = Decision.lane == "audit"
    wanted = (
        select(
            Decision.audit_probability,
            func.count(),
            _number(audit),
            _number(audit & Decision.counted_as.in_(VERDICTS)),
            _number(audit & Decision.counted_as.in_(_WRONG)),
        )
        .where(
            Decision.agent == agent,
            Decision.decided_at >= first,
            Decision.decided_at < end,
            Decision.rollout_id == rollout_id,
            Decision.lane.in_(("auto", "audit")),
            Decision.audit_probability.is_not(None),
            func.coalesce(Decision.counted_as, "pending").not_in(("void", "nothing")),
        )
        .group_by(Decision.audit_probability)
        .order_by(Decision.audit_probability)
    )
    if epoch is not None:
        wanted = wanted.where(Decision.epoch == epoch)
    return [Drawn(float(row[0] or 0.0), *(int(count) for count in row[1:])) for row in session.execute(wanted)]


def _number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
