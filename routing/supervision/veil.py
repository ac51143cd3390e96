"""
Who may see the output of a case of the blind arm, and what else tells it. Below the desk, which asks it before it shows
or rules, and below everything that is known of a case.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from governance.actors import Actor
from kit.errors import Conflict
from rollout.evaluation.service import failure_of
from rollout.failures import queries as failure_queries
from rollout.failures.tables import Failure
from routing.cases.tables import Decision
from routing.domain.sampling import BLIND
from routing.judgements import queries as judgements
from routing.opinions import queries as opinions
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
    and have not answered, or to say who was right of the agent and a person. Never anything for who does not review.
    """
    cases = {case_id for case_id in case_ids if case_id is not None}
    if not cases or not may_rule(actor):
        return set()
    return queries.to_answer(session, agent, cases, actor.name) | judgements.to_judge(session, agent, cases, actor.name)


def as_before(session: Session, rows: Sequence[Decision], actor: Actor) -> Sequence[Decision]:
    """
    These decisions as this actor sees them. What waits for a second person, or for somebody who rules between two, is
    to a reviewer who may be the one as it was before anybody had ruled on it: what somebody said would sway them, and
    that it was said would tell that theirs is a second opinion. Read rows, which nobody writes back.
    """
    untold = _untold(session, rows, actor)
    for row in rows:
        if row.id in untold:
            session.expunge(row)
            for name in _OF_A_RULING:
                setattr(row, name, None)
    return rows


def _untold(session: Session, rows: Sequence[Decision], actor: Actor) -> set[UUID]:
    if not rows or not may_rule(actor):
        return set()
    agents = {row.agent for row in rows}
    return set().union(*(untold(session, agent, {row.case_id for row in rows}, actor) for agent in agents))


def untold(session: Session, agent: str, case_ids: Collection[str | None], actor: Actor) -> set[UUID]:
    """Those decisions on these cases of which this actor is not told what was said of them."""
    cases = {case_id for case_id in case_ids if case_id is not None}
    return opinions.untold(session, agent, cases, actor.name) if cases and may_rule(actor) else set()


_OF_A_RULING = ("outcome", "outcome_at", "outcome_output", "outcome_detail", "label", "label_severity", "label_source")


def may_rule(actor: Actor) -> bool:
    return actor.kind == "person" and actor.allows("review")


def require_answer_of_case(session: Session, agent: str, case_id: str | None, actor: Actor) -> None:
    """What is known of a case tells its output too: whoever may come to rule on it blind waits until they have."""
    if veiled(session, agent, [case_id], actor):
        raise AnswerFirst(f"case {case_id} waits for a review by somebody who knows nothing of its output")


def require_no_part(session: Session, agent: str, case_ids: Collection[str], actor: Actor) -> None:
    """
    What a person did is not sent by who may come to say whether it was right: the answer would tell them whether it is
    what somebody sent before.
    """
    if found := no_part_in(session, agent, case_ids, actor):
        raise found[min(found)]


def no_part_in(session: Session, agent: str, case_ids: Collection[str], actor: Actor) -> dict[str, AnswerFirst]:
    """Those of these cases of which this person sends nothing that a person did, with what they are told."""
    found = judgements.to_judge(session, agent, set(case_ids), actor.name) if may_rule(actor) else set()
    words = "case {} waits for somebody to say who was right; that may be you"
    return {case_id: AnswerFirst(words.format(case_id)) for case_id in found}


def failures(session: Session, agent: str, rows: Sequence[Failure], actor: Actor) -> list[Failure]:
    """Those that this actor may know of: a failure tells that an output was wrong, and what would have been right."""
    cases = {row.case_id for row in rows}
    veiled_cases, untold_ones = veiled(session, agent, cases, actor), untold(session, agent, cases, actor)
    return [row for row in rows if row.case_id not in veiled_cases and row.decision_id not in untold_ones]


def require_open(session: Session, failure: Failure, actor: Actor) -> None:
    if not failures(session, failure.agent, [failure], actor):
        raise AnswerFirst(f"case {failure.case_id} waits for a review; what became of it is shown when that is over")


def learned(session: Session, agent: str, keys: Collection[str], actor: Actor) -> set[str]:
    """Those of these cases of suites that came from failures of which this actor may not know."""
    from_failures = {failure_id: key for key in keys if (failure_id := failure_of(key)) is not None}
    if not from_failures or not may_rule(actor):
        return set()
    rows = failure_queries.of_ids(session, agent, from_failures)
    known = {row.id for row in failures(session, agent, rows, actor)}
    return {from_failures[row.id] for row in rows if row.id not in known}
