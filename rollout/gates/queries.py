"""Statements about totals, evidence and signatures."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Row, func, select, update
from sqlalchemy import Table as CoreTable
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from kit import dialects
from kit.errors import NotFound
from rollout.gates.tables import EvidenceSnapshot, Signature, Total
from rollout.versions.tables import Rollout

_KEYS = ["rollout_id", "epoch", "lane", "segment", "day"]
_COUNTERS = [
    "cases", "agreed", "overridden", "severe", "void",
    "invalid_output", "invalid_confidence", "minor", "low_confidence",
]  # fmt: skip


def add_to_totals(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Add to the cohorts, which need not be there yet."""
    statement = dialects.insert_or_add(session.get_bind().dialect.name, Total.__table__, _KEYS, _COUNTERS)
    session.execute(statement, rows)


def totals(session: Session, rollout_id: UUID, epoch: int) -> Sequence[Row[Any]]:
    """The cohorts of one epoch, as plain rows: others add to them behind the session, so it must remember none."""
    table = cast("CoreTable", Total.__table__)
    mine = select(table).where(table.c.rollout_id == rollout_id, table.c.epoch == epoch)
    return session.execute(mine).all()


def cases_in_all(session: Session, rollout_id: UUID) -> int:
    """Every case of a version that was counted, in all its phases."""
    return int(session.scalar(select(func.sum(Total.cases)).where(Total.rollout_id == rollout_id)) or 0)


def find_evidence(session: Session, evidence_id: UUID) -> EvidenceSnapshot | None:
    return session.get(EvidenceSnapshot, evidence_id)


def get_evidence(session: Session, rollout_id: UUID, evidence_id: UUID) -> EvidenceSnapshot:
    """A snapshot of this version; that of another one is not found here."""
    snapshot = find_evidence(session, evidence_id)
    if snapshot is None or snapshot.rollout_id != rollout_id:
        raise NotFound(f"this version has no evidence {evidence_id}")
    return snapshot


def get_evidence_of_any(session: Session, evidence_id: UUID) -> tuple[EvidenceSnapshot, str]:
    """A snapshot of whatever version, with the agent it is of."""
    wanted = select(EvidenceSnapshot, Rollout.agent).join(Rollout, Rollout.id == EvidenceSnapshot.rollout_id)
    row = session.execute(wanted.where(EvidenceSnapshot.id == evidence_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no evidence {evidence_id}")
    return row[0], row[1]


def evidence(
    session: Session, rollout_id: UUID, *, before: UUID | None = None, limit: int = 50
) -> Sequence[EvidenceSnapshot]:
    """The newest first."""
    wanted = select(EvidenceSnapshot).where(EvidenceSnapshot.rollout_id == rollout_id)
    if before is not None:
        wanted = wanted.where(EvidenceSnapshot.id < before)
    return session.scalars(wanted.order_by(EvidenceSnapshot.id.desc()).limit(limit)).all()


def touch(
    session: Session, rollout: Rollout, *, looked_at: datetime, next_look_at: datetime | None, evidence_id: UUID
) -> None:
    """
    Note that somebody looked.

    Past the version counter: looking changes nothing that a person decides on, so a look that falls between
    somebody's reading and pressing must not turn the press into a conflict.
    """
    values = {"looked_at": looked_at, "next_look_at": next_look_at, "evidence_id": evidence_id}
    table = cast("CoreTable", Rollout.__table__)
    session.execute(update(table).where(table.c.id == rollout.id).values(**values))
    for name, value in values.items():
        set_committed_value(rollout, name, value)


def signatures(session: Session, evidence_id: UUID) -> Sequence[Signature]:
    """Who asked, signed or refused, in that order; the first one is who asked."""
    mine = select(Signature).where(Signature.evidence_id == evidence_id)
    return session.scalars(mine.order_by(Signature.id)).all()


def evidence_asked_about(session: Session, rollout_id: UUID, epoch: int) -> Sequence[EvidenceSnapshot]:
    """Snapshots of this epoch that somebody asked about and whose signatures are not used, the newest first."""
    asked = select(Signature.evidence_id).where(Signature.rollout_id == rollout_id, Signature.used_at.is_(None))
    return session.scalars(
        select(EvidenceSnapshot)
        .where(EvidenceSnapshot.id.in_(asked), EvidenceSnapshot.epoch == epoch)
        .order_by(EvidenceSnapshot.id.desc())
    ).all()
