"""
What nobody ruled on in time: passed on to the second line once half of the time is over (the agent's setting
`second_line_at`), and ended as `expired` when all of it is, with the work left to a person.

A second opinion is never passed on: it begins to wait anew, so that it is never older than what waits beside it.

Time never says that an output was right. So an expired review has no output and no label, and gates count a case
without a verdict against the agent.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from governance.audit import service as audit
from kit.db import send_after_commit
from routing.delivery import service as delivery
from routing.domain.judging import JUDGEMENT
from routing.domain.opinions import SECOND
from routing.judgements.judges import left_for
from routing.opinions.service import start_anew
from routing.reviews import queries
from routing.reviews.concluding import nobody_waits, second_line
from routing.reviews.tables import ReviewItem
from routing.reviews.troubles import each

_SECOND_LINE = 2
FALLBACK = "human"  # what the agent's setting `review_fallback` can be: time never approves


def pass_on(session: Session, now: datetime, limit: int) -> int:
    """What was in the first line for its part of the time goes on to the second; returns how many."""

    def act(items: Sequence[ReviewItem]) -> None:
        judged = [item for item in items if item.kind == JUDGEMENT]
        leads = left_for(session, judged, [_SECOND_LINE] * len(judged))
        for item in items:
            if item.kind == SECOND:
                start_anew(item, now)
                continue
            if item.kind == JUDGEMENT:
                _pass_judgement_on(item, now, to_somebody=bool(leads[item.id]))
            else:
                item.state, item.ended_at = "escalated", now
                session.add(second_line(item, now))
            _note(session, "review.overdue", item, now)
        send_after_commit(session, "reviews:changed")

    _give_an_end(session, limit)
    return each(session, queries.overdue_in_the_first_line(session, now, limit), act, step="pass_on", now=now)


def _pass_judgement_on(item: ReviewItem, now: datetime, *, to_somebody: bool) -> None:
    """
    The item itself, and in its ordinary turn: nobody waits for it. Where no lead may judge it, it stays in the first
    line to its end, behind what came there meanwhile.
    """
    item.expires_at = item.due_at
    if to_somebody:
        item.expires_at = item.ends_in_second_line(now)
        item.level, item.created_at = _SECOND_LINE, now
    else:
        start_anew(item, now)
    item.escalates_at = None


def _give_an_end(session: Session, limit: int) -> None:
    """
    What a web process of a former release stored knows only when it is due. Half of that time is the first line's, as
    where the agent's settings say nothing else.
    """
    for item in queries.without_end(session, limit):
        item.escalates_at = item.created_at + (item.due_at - item.created_at) / 2
    session.flush()  # the sweep looks for it by that time


def expire(session: Session, now: datetime, limit: int) -> int:
    """
    End what waited its time in the second line as well, and tell the agent; returns how many. A second opinion that
    nobody gave in time is none, and the agent hears nothing of it.
    """

    def act(items: Sequence[ReviewItem]) -> None:
        for item in items:
            _expire(session, item, now)
        send_after_commit(session, "reviews:changed")

    over = queries.with_free_cases(session, queries.expired_in_the_second_line(session, now, limit))
    return each(session, over, act, step="expire", now=now)


def _expire(session: Session, item: ReviewItem, now: datetime) -> None:
    item.state, item.ended_at = "expired", now
    _note(session, "review.expired", item, now)
    if nobody_waits(item):
        return
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
    send_after_commit(session, "decisions:ruled", about=decision.id)


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
