"""
Who may see the output of a case of the blind arm, and what else tells it. Below the desk, which asks it before it shows
or rules, and below everything that is known of a case.
"""

from collections.abc import Collection

from sqlalchemy.orm import Session

from governance.actors import Actor
from kit.errors import Conflict
from routing.domain.sampling import BLIND
from routing.reviews.tables import ReviewItem
from routing.supervision import queries
from routing.supervision.tables import BlindAnswer


class AnswerFirst(Conflict):
    code = "answer-first"
    title = "Your own answer comes first"


def answer_of(session: Session, item: ReviewItem, login: str) -> BlindAnswer | None:
    """What this person said of a case of the blind arm; None too where nobody asked."""
    return queries.answer_of(session, item.decision_id, login) if item.arm == BLIND else None


def require_answer(session: Session, item: ReviewItem, login: str) -> None:
    if item.arm == BLIND and queries.answer_of(session, item.decision_id, login) is None:
        raise AnswerFirst(f"case {item.case_id} asks for your own answer before it shows the agent's output")


def veiled(session: Session, agent: str, case_ids: Collection[str | None], actor: Actor) -> set[str]:
    """
    Those of these cases of which this actor sees nothing that tells the output: they may come to rule on them blind,
    and have not answered. Never anything for who does not review.
    """
    cases = {case_id for case_id in case_ids if case_id is not None}
    if not cases or not may_rule(actor):
        return set()
    return queries.to_answer(session, agent, cases, actor.name)


def may_rule(actor: Actor) -> bool:
    return actor.kind == "person" and actor.allows("review")


def require_answer_of_case(session: Session, agent: str, case_id: str | None, actor: Actor) -> None:
    """What is known of a case tells its output too: whoever may come to rule on it blind waits until they have."""
    if veiled(session, agent, [case_id], actor):
        raise AnswerFirst(f"case {case_id} waits for a review that asks for an answer before it shows the output")
