"""
What becomes of a ruling on a gold case: an answer to a question whose answer is known, and nothing else.

No label, no outcome, no message, no second line: it says something about who ruled, and nothing about the agent.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from governance.audit import service as audit
from rollout.reviewers import service as reviewers
from rollout.reviewers.schemas import Said
from routing.gold import queries
from routing.reviews.tables import ReviewItem, Ruling

_SAID = {"agree": Said.RIGHT, "override": Said.WRONG}


def conclude(session: Session, item: ReviewItem, ruling: Ruling, now: datetime) -> None:
    """
    The ruling can no longer be undone. To escalate is to say neither, and counts nowhere; what it was is told when the
    second line would have ruled on any other case.
    """
    deal = queries.get_deal(session, item.id)
    deal.ruling, deal.answered_at = ruling.ruling, now
    said = _SAID.get(ruling.verdict or "")
    if said is None:
        item.expires_at = item.ends_in_second_line(now)
        return
    gold = queries.get_case(session, deal.gold_case_id)
    if gold.retired_at is not None:
        return  # it may have turned out to be wrong
    deal.said = said.value
    known = Said(gold.output_is)
    reviewers.add_answer(
        session, gold.agent, deal.login, case_id=str(gold.id), output_is=known, said=said, at=ruling.at
    )
    found = said is known
    audit.record(
        session, deal.login, "gold.answered", gold.id, now=now, agent=gold.agent, item_id=item.id, ruling=ruling.ruling,
        found=found,
    )  # fmt: skip
