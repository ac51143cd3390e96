"""
What follows from a ruling: the label, the outcome of the decision, the message to the agent, the second line.

It follows when the ruling can no longer be undone, in one transaction that also takes the mark off the item. So a
ruling whose window ended while no worker ran is concluded by the next sweep, and by one only. What the ruling says of
the output is worked out when it is given and stored with it: concluding needs nothing but the rows.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from evidence.comparing import compare
from kit.db import send_after_commit
from kit.ids import new_id
from rollout.agents.queries import get_agent
from rollout.agents.schemas import DeskSettings
from routing.cases.tables import Decision, Label
from routing.delivery import service as delivery
from routing.delivery.queries import active_webhooks
from routing.delivery.schemas import AuditRulingOut
from routing.delivery.tables import Webhook
from routing.domain.judging import JUDGEMENT
from routing.domain.opinions import ADJUDICATION, SECOND
from routing.gold import answers as gold
from routing.gold.queries import GOLD
from routing.judgements import service as judgements
from routing.opinions import service as opinions
from routing.reviews import queries
from routing.reviews.dwell import is_unread
from routing.reviews.tables import ReviewItem, Ruling, UnreadRuling
from routing.reviews.troubles import each
from routing.snapshot import AgentEntry


def conclude_due(session: Session, now: datetime, limit: int) -> int:
    """Conclude rulings whose window is over, the oldest first; returns how many."""

    def act(items: Sequence[ReviewItem]) -> None:
        rulings = queries.standing_rulings(session, [item.id for item in items])
        _at_hand = queries.decisions_by_hand(session, items)
        agents = {item.agent for item in items}
        webhooks = {agent: active_webhooks(session, agent) for agent in agents}
        desks = {agent: desk_settings(session, agent) for agent in agents}
        for item in items:
            item.concludes_at = None
            decision = queries.decision_of(session, item)
            ruling = rulings[item.id]
            conclude(session, item, decision, ruling, now, desk=desks[item.agent], webhooks=webhooks[item.agent])
        send_after_commit(session, "reviews:changed")

    due = queries.with_free_cases(session, queries.to_conclude(session, now, limit))
    return each(session, due, act, step="conclude", now=now)


def conclude(
    session: Session,
    item: ReviewItem,
    decision: Decision,
    ruling: Ruling,
    now: datetime,
    *,
    desk: DeskSettings,
    webhooks: Sequence[Webhook] | None = None,
) -> None:
    """Everything that follows from a ruling that stands."""
    if is_unread(ruling, decision, desk, lambda: queries.ruled_before(session, ruling)):
        session.add(UnreadRuling(ruling_id=ruling.id, agent=item.agent, login=ruling.login, at=ruling.at))
    if item.kind == GOLD:
        gold.conclude(session, item, ruling, now)
        return
    if item.kind == JUDGEMENT:
        judgements.conclude(session, item, decision, ruling, now)
        return
    if ruling.ruling == "escalate":
        session.add(second_line(item, now))
        return
    session.add(Label(**label_row(item, ruling)))
    decision.mark_unsettled()
    send_after_commit(session, "routing.settle")
    if nobody_waits(item):
        opinions.conclude(session, item, decision, ruling, now)
        return
    if item.kind == "review":
        for name, value in outcome_row(decision, ruling, item.state).items():
            setattr(decision, name, value)
    said = told_ruling(item, ruling)
    delivery.tell(session, decision, kind=told_as(item), now=now, ruling=said, webhooks=webhooks)
    send_after_commit(session, "decisions:ruled", about=decision.id)
    opinions.ask(session, item, decision, ruling, now)


def desk_settings(session: Session, agent: str) -> DeskSettings:
    """Of the settings of an agent those alone, as they are stored."""
    return DeskSettings.model_validate(get_agent(session, agent).settings.get("desk", {}))


def nobody_waits(item: ReviewItem) -> bool:
    """Whether what was done with the case stands, and this ruling is about how good that was."""
    return item.kind in {SECOND, ADJUDICATION, JUDGEMENT}


def second_line(item: ReviewItem, now: datetime) -> ReviewItem:
    """
    The same case waiting in the second line, ahead of its ordinary work: until its time is over, and for half of that
    time at least where somebody passed it on late.
    """
    return ReviewItem(
        decision_id=item.decision_id,
        agent=item.agent,
        version=item.version,
        rollout_id=item.rollout_id,
        case_id=item.case_id,
        kind=item.kind,
        shown_as=item.shown_as,
        level=item.level + 1,
        segment=item.segment,
        priority=item.priority + 1,
        fingerprint=item.fingerprint,
        created_at=now,
        due_at=item.due_at,
        expires_at=item.ends_in_second_line(now),
        state="waiting",
        arm=item.arm,
        arm_probability=item.arm_probability,
        seconded=item.seconded,
        second_probability=item.second_probability,
        not_for=item.not_for,
    )


def undoable_until(agent: AgentEntry, now: datetime) -> datetime | None:
    """When a ruling given now is concluded; None: at once."""
    seconds = agent.settings.undo_seconds
    return now + timedelta(seconds=seconds) if seconds else None


def told_as(item: ReviewItem) -> str:
    """The kind of the message to the agent."""
    return f"{'decision' if item.kind == 'review' else 'audit'}.ruled"


def told_ruling(item: ReviewItem, ruling: Ruling) -> AuditRulingOut | None:
    """What a message on an audit brings along. After a review the decision's own outcome says it."""
    if item.kind == "review":
        return None
    return AuditRulingOut(
        ruling=ruling.ruling,
        reason_code=ruling.reason_code,
        note=ruling.note,
        output=ruling.output,
        by=ruling.login,
        at=ruling.at,
    )


def label_row(item: ReviewItem, ruling: Ruling) -> dict[str, Any]:
    """The label that follows from a ruling."""
    return {
        "id": new_id(),
        "decision_id": item.decision_id,
        "verdict": ruling.verdict,
        "severity": ruling.severity,
        "source": "bulk" if ruling.bulk else item.kind,
        "source_id": ruling.id,
        "person": ruling.login,
        "note": ruling.note[:500],
        "at": ruling.at,
    }


def outcome_row(decision: Decision, ruling: Ruling, state: str) -> dict[str, Any]:
    """How a decision ended by a ruling; what may be used downstream is its output, and nothing after a reject."""
    return {
        "outcome": state,
        "outcome_at": ruling.at,
        "outcome_output": {"approve": decision.output, "edit": ruling.output}.get(ruling.ruling),
        "outcome_detail": {"by": ruling.login, "reason_code": ruling.reason_code, "note": ruling.note},
    }


def judge(said: Any, agent: AgentEntry, look: Callable[[], Decision]) -> tuple[str | None, str | None]:
    """
    Verdict and severity. An override changed the outcome: a reject, or an edit that the comparison does not
    call equal. To escalate is no verdict, and what is said of several cases at once says nothing of any of them.
    `look`: gets the decision.
    """
    if said.bulk:
        return "void", None
    if said.ruling == "escalate":
        return None, None
    if said.ruling == "approve":
        return "agree", None
    if said.ruling == "edit":
        decision = look()
        result = compare(decision.output, said.output, agent.comparison, schema_valid=decision.output_valid)
        return ("override", result.severity or "major") if result.kind != "equal" else ("agree", None)
    severity = next((reason.severity for reason in agent.settings.reasons if reason.code == said.reason_code), "major")
    return "override", severity
