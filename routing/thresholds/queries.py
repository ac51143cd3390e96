"""Statements on calibrations, and on the labels they rest on."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, select, tuple_
from sqlalchemy.orm import Session

from kit.errors import NotFound
from rollout.gates.tables import Total
from rollout.versions.tables import PolicyRevision, Rollout
from routing.cases.tables import Decision
from routing.thresholds.tables import Calibration

_LANES = ("shadow", "review", "audit")
_CHUNK = 5000
_CLOCKS_DIFFER = timedelta(days=1)  # between two hosts, at most


class Labelled(NamedTuple):
    """A decision whose verdict was asked for, as far as finding a threshold needs it."""

    id: UUID
    case_id: str
    decided_at: datetime
    confidence: float
    segment: str
    lane: str
    phase: str
    policy_revision: int
    counted_as: str | None


Place = tuple[datetime, UUID]
"""Where a decision stands in the order of time."""


def labelled(session: Session, rollout_id: UUID, before: datetime, after: Place | None = None) -> Iterator[Labelled]:
    """
    In order of the decision, never of the verdict, decided before this moment; in chunks, so take what is needed.

    Void ones and repeated attempts are left out, and those without a usable confidence, which never go alone.
    """
    columns = [getattr(Decision, name) for name in Labelled._fields]
    place = (Decision.decided_at, Decision.id)
    rollout = session.get_one(Rollout, rollout_id)
    wanted = (
        select(*columns)
        .where(
            Decision.agent == rollout.agent,  # with the time in an index; the rollout is not
            Decision.decided_at >= rollout.started_at - _CLOCKS_DIFFER,
            Decision.rollout_id == rollout_id,
            Decision.decided_at < before,
            Decision.lane.in_(_LANES),
            Decision.confidence.is_not(None),
            func.coalesce(Decision.counted_as, "pending").not_in(("void", "nothing")),
        )
        .order_by(*place)
        .limit(_CHUNK)
    )
    while True:
        chunk = wanted if after is None else wanted.where(tuple_(*place) > after)
        rows = [Labelled(*row) for row in session.execute(chunk)]
        yield from rows
        if len(rows) < _CHUNK:
            return
        after = rows[-1].decided_at, rows[-1].id


def most_labels(session: Session, rollout_id: UUID, before: datetime, segment: str = "") -> int:
    """At most so many labels can there be, of one segment or of all; costs the same however many cases there were."""
    wanted = select(func.sum(Total.cases - Total.void)).where(*_countable(rollout_id, before, segment))
    return int(session.scalar(wanted) or 0)


class Recent(NamedTuple):
    """So many labels at most since a day, and the first day of all that has any."""

    labels: int
    first_day: date | None


def recent_labels(session: Session, rollout_id: UUID, since: date, before: datetime, segment: str = "") -> Recent:
    counted = case((Total.day >= since, Total.cases - Total.void), else_=0)
    wanted = select(func.sum(counted), func.min(Total.day)).where(*_countable(rollout_id, before, segment))
    labels, first_day = session.execute(wanted).one()
    return Recent(int(labels or 0), first_day)


def _countable(rollout_id: UUID, before: datetime, segment: str) -> list[ColumnElement[bool]]:
    wanted = [Total.rollout_id == rollout_id, Total.lane.in_(_LANES), Total.day < before.date()]
    return [*wanted, Total.segment == segment] if segment else wanted


def audit_rates(session: Session, rollout_id: UUID) -> dict[int, float]:
    """The audit rate of every policy revision of a version."""
    rows = session.execute(
        select(PolicyRevision.revision, PolicyRevision.body).where(PolicyRevision.rollout_id == rollout_id)
    )
    return {revision: body["rules"]["audit_rate"] for revision, body in rows}


def calibrations(session: Session, rollout_id: UUID, segment: str | None = None) -> Sequence[Calibration]:
    """The newest first; of one segment (empty: all cases together), or of all."""
    wanted = select(Calibration).where(Calibration.rollout_id == rollout_id)
    if segment is not None:
        wanted = wanted.where(Calibration.segment == segment)
    return session.scalars(wanted.order_by(Calibration.look.desc(), Calibration.segment)).all()


def get_calibration_of_any(session: Session, calibration_id: UUID) -> Calibration:
    """A calibration of whatever agent and version."""
    found = session.get(Calibration, calibration_id)
    if found is None:
        raise NotFound(f"there is no calibration {calibration_id}")
    return found


def first_declared(session: Session, rollout_id: UUID) -> dict[str, Any] | None:
    """What was declared at the first look that was taken, of whatever segment; not what that look rests on."""
    wanted = select(Calibration.declared).where(Calibration.rollout_id == rollout_id, Calibration.look == 0)
    return session.scalar(wanted.order_by(Calibration.at, Calibration.id).limit(1))


def labels_taken(session: Session, rollout_id: UUID) -> dict[str, int]:
    """The labels at the newest look of each segment that had one, without reading what these rest on."""
    wanted = select(Calibration.segment, func.max(Calibration.labels)).where(Calibration.rollout_id == rollout_id)
    return {segment: int(labels) for segment, labels in session.execute(wanted.group_by(Calibration.segment))}


def get_calibration(session: Session, rollout_id: UUID, calibration_id: UUID) -> Calibration:
    found = session.get(Calibration, calibration_id)
    if found is None or found.rollout_id != rollout_id:
        raise NotFound(f"this version has no calibration {calibration_id}")
    return found
