"""Statements on what the audits of the automated lane found."""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from routing.tallies.tables import DrawTotal


class Drawn(NamedTuple):
    """Automated cases that were drawn for an audit with one probability: how many were, ruled on, and wrong."""

    probability: float
    cases: int
    drawn: int
    audited: int
    wrong: int


def drawn(session: Session, rollout_id: UUID, *, first: date, last: date, epoch: int | None = None) -> Sequence[Drawn]:
    """
    By probability, since rates change; of whole days, both included. Void cases and repeated attempts are left out,
    audited or not.

    A case that was not drawn speaks for nobody but itself, whatever else is known of it.
    """
    audit, cases = DrawTotal.lane == "audit", func.sum(DrawTotal.cases - DrawTotal.left_out)
    wanted = select(
        DrawTotal.probability,
        cases,
        _of(audit, DrawTotal.cases - DrawTotal.left_out),
        _of(audit, DrawTotal.audited),
        _of(audit, DrawTotal.wrong),
    ).where(
        DrawTotal.rollout_id == rollout_id,
        DrawTotal.draw == "audit",
        DrawTotal.day >= first,
        DrawTotal.day <= last,
    )
    if epoch is not None:
        wanted = wanted.where(DrawTotal.epoch == epoch)
    found = wanted.group_by(DrawTotal.probability).having(cases > 0).order_by(DrawTotal.probability)
    return [Drawn(row[0], *(int(count) for count in row[1:])) for row in session.execute(found)]


def _of(condition: ColumnElement[bool], counter: Any) -> ColumnElement[int]:
    return func.sum(case((condition, counter), else_=0))
