"""
What nobody ruled on in time: passed on to the second line once half of the time is over (the agent's setting
`second_line_at`), and ended as `expired` when all of it is, with the work left to a person.

Time never says that an output was right. So an expired review has no output and no label, and gates count a case
without a verdict against the agent.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from governance.audit import service as audit
from kit.db import send_after_commit
from routing.delivery import service as delivery
from routing.reviews import queries
from routing.reviews.concluding import second_line
from routing.reviews.tables import ReviewItem

FALLBACK = "human"  # what the agent's setting `review_fallback` can be: time never approves


def pass_on(session: Session, now: datetime, limit: int) -> int:
    """Pass what was in the first line for its part of the time on to the second; returns how many."""
    items = queries.overdue_in_the_first_line(session, now, limit)
    for item in items:
        item.state, item.ended_at = "escalated", now
        session.add(second_line(item, now))
        _note(session, "review.overdue", item, now)
    if items:
        send_after_commit(session, "reviews:changed")
    return len(items)


def expire(session: Session, now: datetime, limit: int) -> int:
    """End what waited its time in the second line as well, and tell the agent; returns how many."""
    items = queries.expired_in_the_second_line(session, now, limit)
    for item in items:
        item.state, item.ended_at = "expired", now
        decision = queries.get_decision(session, item.decision_id)
        if item.kind == "review":
            decision.outcome, decision.outcome_at, decision.outcome_output = "expired", now, None
            decision.outcome_detail = {
                "by": "system",
                "reason_code": "expired",
                "note": "nobody ruled in time; a person does the case",
                "fallback": FALLBACK,
            }
        delivery.tell(session, decision, kind=_told_as(item), now=now)
        _note(session, "review.expired", item, now)
        send_after_commit(session, "decisions:ruled", about=decision.id)
    if items:
        send_after_commit(session, "reviews:changed")
    return len(items)


def _told_as(item: ReviewItem) -> str:
    return f"{'decision' if item.kind == 'review' else 'audit'}.expired"


def _note(session: Session, verb: str, item: ReviewItem, now: datetime) -> None:
    audit.record(
        session,
        "system",
        verb,
        item.id,
        now=now,
        agent=item.agent,
        case_id=item.case_id,
        decision_id=item.decision_id,
        kind=item.kind,
        due_at=item.due_at,
    )
