"""
The verbs of the review desk: claim, renew, release, rule.

A ruling counts only from the person who holds the case, and only for what that person was shown: it names
the fingerprint of the page. The item, the ruling, the decision's outcome, its label, the audit event and
the message to the agent are stored together or not at all.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.orm import Session

from evidence.comparing import compare
from governance.actors import Actor
from governance.audit import queries as audit_queries
from governance.audit import service as audit
from kit.db import send_after_commit
from kit.errors import Conflict, Invalid, Place
from kit.ids import new_id
from routing.cases.cancelling import cancel
from routing.cases.prepare import same
from routing.cases.tables import Decision, Label
from routing.delivery import service as delivery
from routing.delivery.schemas import AuditRulingOut
from routing.reviews import queries
from routing.reviews.tables import ReviewItem, Ruling
from routing.snapshot import AgentEntry

RulingWord = Literal["approve", "edit", "reject", "escalate"]
_LAST_LEVEL = 2
ENDS = {"approve": "approved", "edit": "edited", "reject": "rejected", "escalate": "escalated"}


class AlreadyHeld(Conflict):
    code = "already-held"
    title = "Somebody else holds this case"


class NotHeld(Conflict):
    code = "not-held"
    title = "You do not hold this case"


class ShownOtherwise(Conflict):
    code = "shown-otherwise"
    title = "The case is not what you were shown"


class AlreadyEnded(Conflict):
    code = "already-ended"
    title = "This review has ended"


class LastLine(Conflict):
    code = "last-line"
    title = "There is nobody to escalate to"


@dataclass(frozen=True, slots=True)
class Said:
    """What a reviewer said of an item."""

    ruling: RulingWord
    fingerprint: str
    output: Any = None
    reason_code: str | None = None
    note: str = ""


def levels_of(actor: Actor) -> tuple[int, ...]:
    """The lines of the queue this person works: everyone the first, those who may the second."""
    return (1, 2) if actor.allows("escalated") else (1,)


def claim_next(
    session: Session,
    *,
    actor: Actor,
    now: datetime,
    lease: timedelta,
    agent: str | None = None,
    but: Collection[UUID] = (),
) -> ReviewItem | None:
    """
    The next case in turn, held for this person; the one already held, if there is one.

    `but`: cases they do not want now, because they just gave them back.
    """
    held = queries.held_by(session, actor.name, now, agent=agent)
    if held is not None:
        return queries.try_renew(session, held.id, actor.name, until=now + lease)
    for level in queries.lines_in_turn(session, agent=agent, levels=levels_of(actor), now=now, but=but):
        item = queries.try_claim_next(
            session, actor.name, agent=agent, level=level, now=now, until=now + lease, but=but
        )
        if item is not None:
            send_after_commit(session, "reviews:changed")
            return item
    return None


def claim(session: Session, item_id: UUID, *, actor: Actor, now: datetime, lease: timedelta) -> ReviewItem:
    """Hold this case; a conflict names who has it and until when."""
    item = queries.try_claim(session, item_id, actor.name, now=now, until=now + lease)
    if item is None:
        raise _why_not(queries.get_item(session, item_id))
    if item.level not in levels_of(actor):
        actor.require("escalated")
    send_after_commit(session, "reviews:changed")
    return item


def renew(session: Session, item_id: UUID, *, actor: Actor, now: datetime, lease: timedelta) -> ReviewItem:
    """Hold on to a case while someone is really there."""
    item = queries.try_renew(session, item_id, actor.name, until=now + lease)
    if item is None:
        raise _why_not(queries.get_item(session, item_id))
    return item


def release(session: Session, item_id: UUID, *, actor: Actor) -> None:
    """Give a case back to the queue."""
    if not queries.try_release(session, item_id, actor.name):
        raise _why_not(queries.get_item(session, item_id))
    send_after_commit(session, "reviews:changed")


def rule(session: Session, item_id: UUID, said: Said, *, agent: AgentEntry, actor: Actor, now: datetime) -> Ruling:
    """Record a ruling and everything that follows from it."""
    item = queries.get_item(session, item_id)
    if said.fingerprint != item.fingerprint:
        raise ShownOtherwise("the case changed since it was shown to you; look at it again, your draft is kept")
    decision = queries.get_decision(session, item.decision_id)
    check(agent, decision, said)
    if said.ruling == "escalate" and item.level >= _LAST_LEVEL:
        raise LastLine("this case was escalated before and there is no third line; approve, edit or reject it")
    ended = queries.try_end(session, item_id, actor.name, state=ENDS[said.ruling], now=now)
    if ended is None:
        raise _why_not(queries.get_item(session, item_id))
    ruling = _record(session, ended, said, actor, now)
    if said.ruling == "escalate":
        session.add(second_line(ended, now))
    else:
        _conclude(session, ended, decision, ruling, agent, now)
    audit_queries.add(session, [event_row(ended, ruling, actor)])
    send_after_commit(session, "reviews:changed")
    return ruling


def event_row(item: ReviewItem, ruling: Ruling, actor: Actor) -> dict[str, Any]:
    """What the audit log keeps of a ruling."""
    return audit.event_row(
        actor,
        f"review.{ENDS[ruling.ruling]}",
        item.id,
        now=ruling.at,
        agent=item.agent,
        case_id=item.case_id,
        decision_id=str(item.decision_id),
        reason_code=ruling.reason_code,
        fingerprint=ruling.fingerprint,
    )


def _why_not(item: ReviewItem) -> Conflict:
    if item.state != "waiting":
        return AlreadyEnded(f"the review of case {item.case_id} has ended: {item.state}", state=item.state)
    if item.claimed_by is None:
        return NotHeld(f"nobody holds case {item.case_id}; claim it first")
    until = item.claimed_until.isoformat() if item.claimed_until else None
    return AlreadyHeld(f"{item.claimed_by} holds case {item.case_id}", held_by=item.claimed_by, held_until=until)


def check(agent: AgentEntry, decision: Decision, said: Said) -> None:
    """What the page promises the server enforces: reasons, and the schema of an edit."""
    if said.ruling == "reject":
        known = [reason.code for reason in agent.settings.reasons]
        if said.reason_code not in known:
            mend = f"send one of {', '.join(known)}"
            raise Invalid("a reject needs a reason", places=[Place("reason_code", "it is not a known reason", mend)])
    if said.ruling == "edit":
        if said.output is None or same(said.output, decision.output):
            place = Place("output", "it does not differ from the agent's", "change it, or approve")
            raise Invalid("an edit needs an output that differs", places=[place])
        if agent.schema is not None and (problems := agent.schema.problems(said.output)):
            places = [Place(f"output{found.path}", found.words, "") for found in problems]
            raise Invalid("the edited output does not fit the agent's schema", places=places)


def _record(session: Session, item: ReviewItem, said: Said, actor: Actor, now: datetime) -> Ruling:
    ruling = Ruling(
        item_id=item.id,
        decision_id=item.decision_id,
        login=actor.name,
        ruling=said.ruling,
        output=said.output if said.ruling == "edit" else None,
        reason_code=said.reason_code,
        note=said.note,
        fingerprint=said.fingerprint,
        held_seconds=(now - item.claimed_at).total_seconds() if item.claimed_at else 0.0,
        at=now,
    )
    session.add(ruling)
    session.flush()  # the label below names its id
    return ruling


def second_line(item: ReviewItem, now: datetime) -> ReviewItem:
    """The same case waiting in the second line, ahead of its ordinary work, for as long again as in the first."""
    return ReviewItem(
        decision_id=item.decision_id,
        agent=item.agent,
        version=item.version,
        rollout_id=item.rollout_id,
        case_id=item.case_id,
        kind=item.kind,
        level=item.level + 1,
        segment=item.segment,
        priority=item.priority + 1,
        fingerprint=item.fingerprint,
        created_at=now,
        due_at=item.due_at,
        expires_at=now + (item.due_at - item.created_at),
        state="waiting",
    )


def _conclude(
    session: Session, item: ReviewItem, decision: Decision, ruling: Ruling, agent: AgentEntry, now: datetime
) -> None:
    session.add(Label(**label_row(item, ruling, verdict(decision, ruling, agent))))
    decision.mark_unsettled()
    if item.kind == "review":
        for name, value in outcome_row(decision, ruling, item.state).items():
            setattr(decision, name, value)
    delivery.tell(session, decision, kind=told_as(item), now=now, ruling=told_ruling(item, ruling))
    send_after_commit(session, "routing.settle")
    send_after_commit(session, "decisions:ruled", about=decision.id)


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


def label_row(item: ReviewItem, ruling: Ruling, said: tuple[str, str | None]) -> dict[str, Any]:
    """The label that follows from a ruling; `said` is its verdict and severity."""
    return {
        "id": new_id(),
        "decision_id": item.decision_id,
        "verdict": said[0],
        "severity": said[1],
        "source": item.kind,
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


def verdict(decision: Decision, ruling: Ruling, agent: AgentEntry) -> tuple[str, str | None]:
    """
    Verdict and severity. An override changed the outcome: a reject, or an edit that the comparison does not
    call equal.
    """
    if ruling.ruling == "approve":
        return "agree", None
    if ruling.ruling == "edit":
        result = compare(decision.output, ruling.output, agent.comparison, schema_valid=decision.output_valid)
        return ("override", result.severity or "major") if result.kind != "equal" else ("agree", None)
    severity = next(
        (reason.severity for reason in agent.settings.reasons if reason.code == ruling.reason_code), "major"
    )
    return "override", severity


def release_expired(session: Session, now: datetime) -> int:
    """Leases that ran out go back to the queue."""
    released = queries.release_expired(session, now)
    if released:
        send_after_commit(session, "reviews:changed")
    return released


def cancel_what_nobody_may_rule(session: Session, now: datetime, limit: int = 200) -> int:
    """
    After a demotion or roll-back: what waited for a ruling goes to people to do. The agent is told that its
    output will not be used, and the case is void: nobody said that it was wrong. A freeze takes back nothing
    that waits already; its reviewers rule on it as on any other.
    """
    items = queries.items_nobody_may_rule(session, limit)
    for item in items:
        item.state, item.ended_at = "cancelled", now
        decision = queries.get_decision(session, item.decision_id)
        words = "autonomy was taken back before a person ruled"
        cancel(
            session, decision, by="system", reason_code="autonomy_taken_back", words=words, source_id=item.id, now=now
        )
        delivery.tell(session, decision, kind="decision.cancelled", now=now)
        audit.record(session, "system", "review.cancelled", item.id, now=now, agent=item.agent, case_id=item.case_id)
    return len(items)
