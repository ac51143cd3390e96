"""A decision ends without a ruling: nobody may use its output, and nobody said that it was wrong."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from kit.db import send_after_commit
from routing.cases.tables import Decision, Label


def cancel(
    session: Session, decision: Decision, *, by: str, reason_code: str, words: str, source_id: UUID, now: datetime
) -> None:
    """It is void from now on, and whoever waits for it hears of it. Its review items are the caller's."""
    decision.outcome, decision.outcome_at = "cancelled", now
    decision.outcome_detail = {"by": by, "reason_code": reason_code, "note": ""}
    decision.mark_unsettled()
    session.add(
        Label(
            decision_id=decision.id,
            verdict="void",
            severity=None,
            source="cancelled",
            source_id=source_id,
            person=None,
            note=words,
            at=now,
        )
    )
    for name in ("routing.settle", "reviews:changed"):
        send_after_commit(session, name)
    send_after_commit(session, "decisions:ruled", about=decision.id)
