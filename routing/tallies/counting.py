"""
What a decision and the labels on it add to the counts by day.

A decision is counted when it is settled first, and moved when it is counted as something else; a label is counted once,
by the first settling that sees it, which its mark `counted` says. Neither depends on the order of settling.
"""

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from routing.cases.tables import AUTOMATED, THRESHOLDED, VERDICTS, Counted, Decision
from routing.domain.sampling import ASSISTED, BLIND
from routing.tallies import queries
from routing.tallies.queries import DRAWS, KEPT, VERDICT, WORK, Figures, Kept, Key, Said, Sums

_LEFT_OUT = frozenset({"void", "nothing"})


class Tallies:
    """What is to be added, or taken away, of all kinds of counts."""

    def __init__(self) -> None:
        self._sums: dict[str, Sums] = {kept.name: {} for kept in KEPT}

    def move(self, row: Counted, counted_as: str) -> None:
        """From what a decision was counted as before to what it is now."""
        if row.counted_as == counted_as:
            return
        if row.counted_as is not None:
            self._add(row, row.counted_as, -1)
        self._add(row, counted_as, 1)

    def take(self, session: Session, rows: Mapping[UUID, Decision]) -> None:
        """What decisions that leave, and the labels on them, were counted as."""
        for row in rows.values():
            if row.counted_as is not None:
                self._add(row, row.counted_as, -1)
        self._add_labels(queries.said(session, list(rows), counted=True), -1)

    def count_labels(self, session: Session, decision_ids: Sequence[UUID]) -> None:
        """The labels on these decisions that nobody has counted, which they are from now on."""
        self._add_labels(queries.said(session, decision_ids, counted=False), 1)
        queries.mark_counted(session, decision_ids)

    def store(self, session: Session) -> None:
        for kept in KEPT:
            queries.add(session, kept, self._sums[kept.name])

    def _add(self, row: Counted, counted_as: str, sign: int) -> None:
        for key, figures in draws_of(row, counted_as):
            self._put(DRAWS, key, figures, sign)
        if (work := work_of(row)) is not None:
            self._put(WORK, work, (1, 0, 0), sign)

    def _add_labels(self, found: Iterator[Said], sign: int) -> None:
        for one in found:
            if one.rollout_id is None:
                continue
            self._put(VERDICT, verdict_of(one), (1,), sign)
            if one.held_seconds is not None:
                hour = one.decided_at.date(), one.decided_at.hour
                self._put(WORK, (one.rollout_id, *hour, one.lane), (0, 1, int(one.held_seconds * 1000.0)), sign)

    def _put(self, kept: Kept, key: Key, figures: Figures, sign: int) -> None:
        sums = self._sums[kept.name]
        before = sums.get(key, (0,) * len(figures))
        sums[key] = tuple(there + sign * more for there, more in zip(before, figures, strict=True))


def draws_of(row: Counted, counted_as: str) -> Iterator[tuple[Key, Figures]]:
    """
    The draws that were made for a case. Of the ramp: for cases at or above their threshold, where review means outside;
    but for those with a risk, since some risks are always reviewed, whatever the share.
    """
    if row.rollout_id is None:
        return
    verdict = counted_as in VERDICTS
    figures = 1, int(counted_as in _LEFT_OUT), int(verdict), int(verdict and counted_as != "agree")
    if row.lane in {"auto", "audit"} and row.audit_probability is not None:
        yield (row.rollout_id, row.epoch, "audit", row.audit_probability, row.lane, row.decided_at.date()), figures
    if _is_in_ramp(row):
        yield (row.rollout_id, row.epoch, "ramp", row.ramp_share, row.lane, row.decided_at.date()), figures


def _is_in_ramp(row: Counted) -> bool:
    if row.phase not in AUTOMATED or row.lane not in THRESHOLDED or row.risk is not None or row.ramp_share is None:
        return False
    return row.threshold is not None and row.confidence is not None and row.confidence >= row.threshold


def work_of(row: Counted) -> Key | None:
    if row.rollout_id is None or row.lane not in THRESHOLDED:
        return None
    return row.rollout_id, row.decided_at.date(), row.decided_at.hour, row.lane


def verdict_of(one: Said) -> Key:
    """A case of the blind arm that was ruled without an answer of that person (recorded work) is of neither arm."""
    arm = one.arm if one.arm_probability is not None and 0.0 < one.arm_probability < 1.0 else None
    if arm == BLIND and one.equal is None:
        arm = None
    key = one.rollout_id, one.decided_at.date(), one.source, one.person or "", one.verdict
    if arm not in {BLIND, ASSISTED}:
        return (*key, "", 0.0, "")
    answered = "" if arm == ASSISTED else "equal" if one.equal else "different"
    return (*key, arm, one.arm_probability, answered)
