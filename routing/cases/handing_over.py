"""
The agent gave a case to a person because our answer did not reach it, and says so later.

What was answered stays on record. But nobody may act on it any more, nobody needs to rule on it, and it is no
evidence: the output was not used, and nobody said that it was wrong.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from governance.audit import service as audit
from routing.cases import queries
from routing.cases.cancelling import cancel
from routing.cases.closing import close_reviews
from routing.cases.tables import Decision

_MIGHT_BE_USED = frozenset({"auto", "review"})


def take_back(session: Session, row: Decision, *, actor: str, now: datetime) -> Decision:
    """
    End a decision whose answer was lost; as it stands then. Said again it changes nothing, and a ruling that came
    first stands.

    An audit that was drawn stays in the queue: an agent could otherwise lift the audits from what it did alone.
    """
    if row.route not in _MIGHT_BE_USED or row.outcome is not None:
        return row
    decision = queries.get_locked(session, row.id)
    if decision is None or decision.outcome is not None:
        return decision or row
    close_reviews(session, decision.id, state="cancelled", actor=actor, now=now, kind="review")
    words = "the agent got no answer in time and gave the case to a person"
    cancel(session, decision, by=actor, reason_code="handed_over", words=words, source_id=decision.id, now=now)
    audit.record(session, actor, "decision.handed_over", decision.id, now=now, agent=decision.agent)
    return decision
