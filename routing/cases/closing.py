"""Reviews that nobody needs any more: the agent replaced its output, took the case back, or gave it to a person."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from governance.audit import service as audit
from routing.cases import queries


def close_reviews(
    session: Session, decision_id: UUID, *, state: str, actor: str, now: datetime, kind: str | None = None
) -> None:
    """End the open reviews of a decision. That a ruling was given, and that nothing comes of it, stays on record."""
    for one in queries.end_open_items(session, decision_id, now, state=state, kind=kind):
        said: dict[str, Any] = {
            "ruling_id": one.ruling_id,
            "ruling": one.ruling,
            "ruled_by": one.login,
            "because": state,
        }
        said |= {"case_id": one.case_id, "decision_id": decision_id}
        audit.record(session, actor, "review.voided", one.item_id, now=now, agent=one.agent, **said)
