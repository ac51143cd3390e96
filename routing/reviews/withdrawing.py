"""After a demotion or roll-back: what waited for a ruling goes to people to do."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from governance.audit import service as audit
from routing.cases.cancelling import cancel
from routing.delivery import service as delivery
from routing.reviews import queries
from routing.reviews.tables import ReviewItem
from routing.reviews.troubles import each

_WORDS = "autonomy was taken back before a person ruled"


def cancel_what_nobody_may_rule(session: Session, now: datetime, limit: int = 200) -> int:
    """
    The agent is told that its output will not be used, and the case is void: nobody said that it was wrong. A freeze
    takes back nothing that waits already; its reviewers rule on it as on any other.
    """

    def act(items: Sequence[ReviewItem]) -> None:
        for item in items:
            _withdraw(session, item, now)

    gone = queries.with_free_cases(session, queries.items_nobody_may_rule(session, now, limit))
    return each(session, gone, act, step="cancel", now=now)


def _withdraw(session: Session, item: ReviewItem, now: datetime) -> None:
    item.state, item.ended_at = "cancelled", now
    decision = queries.get_decision(session, item.decision_id)
    why = {"by": "system", "reason_code": "autonomy_taken_back", "words": _WORDS}
    cancel(session, decision, **why, source_id=item.id, now=now)
    delivery.tell(session, decision, kind="decision.cancelled", now=now)
    audit.record(session, "system", "review.cancelled", item.id, now=now, agent=item.agent, case_id=item.case_id)
