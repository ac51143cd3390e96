"""Who may see the output of a case of the blind arm. Below the desk, which asks it before it shows or rules."""

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
    return queries.answer_of(session, item.id, login) if item.arm == BLIND else None


def require_answer(session: Session, item: ReviewItem, login: str) -> None:
    if item.arm == BLIND and queries.answer_of(session, item.id, login) is None:
        raise AnswerFirst(f"case {item.case_id} asks for your own answer before it shows the agent's output")


def require_answer_of_case(session: Session, agent: str, case_id: str, actor: Actor) -> None:
    """What is known of a case tells its output too: whoever may come to rule on it blind waits until they have."""
    if actor.kind == "person" and actor.allows("review") and queries.has_to_answer(session, agent, case_id, actor.name):
        raise AnswerFirst(f"case {case_id} waits for a review that asks for an answer before it shows the output")
