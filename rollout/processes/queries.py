"""Statements about web processes."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from rollout.processes.tables import WebProcess


def processes(session: Session) -> Sequence[WebProcess]:
    return session.scalars(select(WebProcess).order_by(WebProcess.started_at, WebProcess.id)).all()


def beats(session: Session) -> dict[UUID, int]:
    return {row.id: row.beats for row in session.execute(select(WebProcess.id, WebProcess.beats))}


def try_renew(session: Session, process_id: UUID, *, in_force: int, now: datetime) -> bool:
    """A sign of life; False where somebody took this process for dead and removed it."""
    values = {"in_force": in_force, "seen_at": now, WebProcess.beats.key: WebProcess.beats + 1}
    renewed = update(WebProcess).where(WebProcess.id == process_id).values(values).returning(WebProcess.id)
    return session.scalar(renewed) is not None


def remove(session: Session, process_id: UUID, beats: int | None = None) -> None:
    """Take it off the list; with `beats`, only while it has given no sign of life since."""
    gone = delete(WebProcess).where(WebProcess.id == process_id)
    session.execute(gone if beats is None else gone.where(WebProcess.beats == beats))
