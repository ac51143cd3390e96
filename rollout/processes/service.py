"""
Which web processes have a change in force.

A process that holds a new policy and has answered everything it decided by older ones says so in its row. Whoever
changed a policy can wait for all rows; nobody is taken for dead by a clock.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from rollout.processes import queries
from rollout.processes.schemas import InForceOut, SilentOut
from rollout.processes.tables import WebProcess


def sign_of_life(session: Session, process: WebProcess, *, in_force: int, now: datetime) -> None:
    """Say that this process is there and how far it has come. `process` says who it is, and is not changed."""
    if queries.try_renew(session, process.id, in_force=in_force, now=now):
        return
    session.add(
        WebProcess(
            id=process.id, host=process.host, pid=process.pid, started_at=process.started_at, seen_at=now,
            beats=process.beats, in_force=in_force,
        )
    )  # fmt: skip


def sweep(session: Session, unmoved: dict[UUID, int]) -> None:
    """Remove processes that have given no sign of life since these beats, which the caller saw long enough ago."""
    for process_id, beats in unmoved.items():
        queries.remove(session, process_id, beats)


def in_force(rows: Sequence[WebProcess], sequence: int, *, waited: float, now: datetime) -> InForceOut:
    """How far a policy of this sequence has come."""
    silent = [row for row in rows if row.in_force < sequence]
    return InForceOut(
        done=not silent,
        processes=len(rows),
        acknowledged=len(rows) - len(silent),
        waited_seconds=round(waited, 3),
        silent=[SilentOut(host=row.host, pid=row.pid, seconds=_ago(row, now)) for row in silent],
        words=_words(rows, silent, now),
    )


def _words(rows: Sequence[WebProcess], silent: Sequence[WebProcess], now: datetime) -> str:
    if not rows:
        return "No web process is running; whichever starts next begins with it."
    if not silent:
        everywhere = "the only web process" if len(rows) == 1 else f"all {len(rows)} web processes"
        return f"In force in {everywhere}; what was decided before has been answered."
    named = "; ".join(f"{row.host} (process {row.pid}), last seen {_ago(row, now):.0f} s ago" for row in silent)
    return f"Stored, but not said to be in force by {len(silent)} of {len(rows)} web processes: {named}."


def _ago(row: WebProcess, now: datetime) -> float:
    return round(max(0.0, (now - row.seen_at).total_seconds()), 1)
