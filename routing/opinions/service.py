"""
Second opinions: a drawn share of what was ruled on is looked at by a second person who knows nothing of the first.

The first ruling stands for the agent and nobody waits for the second one. Where the two differ, a third person rules
between them, who sees what both said and not who they are. What they say is then the verdict that counts; where it is
another one than the agent was told, the agent is told of it, and an output that was let pass becomes a failure. Below
the desk, which asks for all of this when rulings are given and concluded.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from evidence.comparing import Kind, compare
from governance.actors import SYSTEM
from governance.audit import service as audit
from kit.db import send_after_commit
from kit.ids import id_at
from rollout.failures import service as failures
from routing.cases.tables import Decision
from routing.delivery import service as delivery
from routing.delivery.schemas import AuditRulingOut
from routing.domain import opinions
from routing.domain.opinions import ADJUDICATION, SECOND, Opinion
from routing.opinions import queries
from routing.opinions.tables import SecondOpinion
from routing.reviews.tables import ReviewItem, Ruling
from routing.snapshot import AgentEntry

ADJUDICATED = "decision.adjudicated"
_FIRST_LINE, _SECOND_LINE = 1, 2


class Shown(NamedTuple):
    """What one of two people said, for who rules between them."""

    name: str
    ruling: str
    output: Any
    reason_code: str | None
    note: str


def ask(session: Session, item: ReviewItem, decision: Decision, ruling: Ruling, now: datetime) -> None:
    """A ruling of a case that was drawn is concluded: the same output waits for a second person, in the same look."""
    if not item.seconded or ruling.verdict not in {"agree", "override"}:
        return
    row = SecondOpinion(
        decision_id=decision.id,
        agent=item.agent,
        version=item.version,
        kind=item.kind,
        probability=item.second_probability,
        decided_at=decision.decided_at,
        asked_at=now,
        first_ruling_id=ruling.id,
        first_login=ruling.login,
        first_verdict=ruling.verdict,
    )
    session.add(row)
    session.add(_second_look(session, item, decision, ruling, now))
    _note(session, "second_opinion.asked", row, item, now, probability=row.probability)


def _second_look(session: Session, item: ReviewItem, decision: Decision, ruling: Ruling, now: datetime) -> ReviewItem:
    """As if nobody had been there before, in its times and its id as well. Its time to wait is counted from now."""
    first = queries.first_line_of(session, item)
    within = first.due_at - first.created_at
    line = first.escalates_at - first.created_at if first.escalates_at is not None else within / 2
    look = _waiting(item, now, kind=SECOND, level=_FIRST_LINE, within=within)
    look.created_at, look.due_at, look.escalates_at = opinions.times_of(
        decision.decided_at, within=within, line=line, now=now
    )
    look.id = id_at(look.created_at)
    look.shown_as, look.not_for = item.shown_kind, ruling.login
    look.priority = first.priority  # a risk that makes a case urgent is shown: urgent no more, it would be a check
    look.arm, look.arm_probability = item.arm, item.arm_probability
    return look


def start_anew(look: ReviewItem, now: datetime) -> None:
    """It has waited in the first line for as long as it may: as if it had come now. When it ends stays the same."""
    waited = now - look.created_at
    look.created_at, look.due_at = now, look.due_at + waited
    look.escalates_at = look.escalates_at + waited if look.escalates_at is not None else None


def _waiting(item: ReviewItem, now: datetime, *, kind: str, level: int, within: timedelta) -> ReviewItem:
    """
    An item of the same output for somebody else, in its ordinary turn. When its time is over, it ends; it is never
    passed on, since no work depends on it.
    """
    return ReviewItem(
        decision_id=item.decision_id,
        agent=item.agent,
        version=item.version,
        rollout_id=item.rollout_id,
        case_id=item.case_id,
        kind=kind,
        level=level,
        segment=item.segment,
        priority=0,
        fingerprint=item.fingerprint,
        created_at=now,
        due_at=now + within,
        expires_at=now + within,
        state="waiting",
    )


def weigh(session: Session, item: ReviewItem, look: Callable[[], Decision], ruling: Ruling, agent: AgentEntry) -> None:
    """
    What a second ruling, or one between two, means for the others: worked out when it is given, as long as the agent's
    comparison is at hand. Given again after an undo, it is worked out again.
    """
    if item.kind not in {SECOND, ADJUDICATION} or ruling.verdict is None:
        return
    row, decision = _row(session, item), look()
    said = queries.rulings(session, [one for one in (row.first_ruling_id, row.second_ruling_id) if one is not None])

    def equal(one: Any, other: Any) -> bool:
        found = compare(one, other, agent.comparison, schema_valid=decision.output_valid)
        return found.kind == Kind.EQUAL

    now_said, first = _opinion(ruling), _opinion(said[row.first_ruling_id])
    if item.kind == SECOND:
        row.same = opinions.agree(first, now_said, equal)
    elif row.second_ruling_id is not None:
        row.first_right = opinions.agree(first, now_said, equal)
        row.second_right = opinions.agree(_opinion(said[row.second_ruling_id]), now_said, equal)


def _opinion(ruling: Ruling) -> Opinion:
    return Opinion(ruling.ruling, ruling.verdict, ruling.output)


def _row(session: Session, item: ReviewItem) -> SecondOpinion:
    row = queries.of_decision(session, item.decision_id)
    if row is None:  # they are written together
        raise LookupError(f"no second opinion was asked for with item {item.id}")
    return row


def conclude(session: Session, item: ReviewItem, decision: Decision, ruling: Ruling, now: datetime) -> None:
    """What follows from a second ruling, or from one between two, that stands."""
    if ruling.bulk:
        return  # of several cases at once: no opinion of this one
    row = _row(session, item)
    if item.kind == SECOND:
        _given(session, row, item, ruling, now)
    else:
        _adjudicated(session, row, item, decision, ruling, now)


def _given(session: Session, row: SecondOpinion, item: ReviewItem, ruling: Ruling, now: datetime) -> None:
    row.second_ruling_id, row.second_login, row.second_verdict = ruling.id, ruling.login, ruling.verdict
    _note(session, "second_opinion.given", row, item, now, same=row.same)
    if not row.same:
        first = queries.first_line_of(session, item)
        within = first.due_at - first.created_at
        session.add(_waiting(item, now, kind=ADJUDICATION, level=_SECOND_LINE, within=within))
        _note(session, "adjudication.asked", row, item, now)


def _adjudicated(
    session: Session, row: SecondOpinion, item: ReviewItem, decision: Decision, ruling: Ruling, now: datetime
) -> None:
    row.ruling_id, row.adjudicator, row.verdict = ruling.id, ruling.login, ruling.verdict
    _note(session, "adjudication.given", row, item, now, verdict=row.verdict, first_right=row.first_right)
    if row.first_right:
        return
    said = AuditRulingOut(
        ruling=ruling.ruling, reason_code=ruling.reason_code, note=ruling.note, output=ruling.output,
        by=ruling.login, at=ruling.at,
    )  # fmt: skip
    delivery.tell(session, decision, kind=ADJUDICATED, now=now, ruling=said)
    if row.first_verdict == "agree" and row.verdict == "override":
        failures.report(
            session,
            agent=decision.agent,
            version=decision.version,
            rollout_id=decision.rollout_id,
            decision_id=decision.id,
            case_id=decision.case_id,
            shown_input=decision.input,
            severity=ruling.severity or "major",
            description=_FAILED if not ruling.note else f"{_FAILED} {ruling.note[:2000]}",
            correct_output=ruling.output,
            actor=SYSTEM,
            now=now,
        )


_FAILED = "A reviewer let this output pass. A second one did not, and a third ruled that it was wrong."


def both(session: Session, item: ReviewItem) -> list[Shown]:
    """What two people said, as A and B; only for who rules between them."""
    row = queries.of_decision(session, item.decision_id) if item.kind == ADJUDICATION else None
    if row is None or row.second_ruling_id is None:
        return []
    said = queries.rulings(session, [row.first_ruling_id, row.second_ruling_id])
    first = opinions.name_of_first(row.first_ruling_id, row.second_ruling_id)
    names = {row.first_ruling_id: first, row.second_ruling_id: "B" if first == "A" else "A"}
    shown = [
        Shown(names[one.id], one.ruling, one.output, one.reason_code, one.note)
        for one in said.values()
        if one.id in names
    ]
    return sorted(shown, key=lambda one: one.name)


def _note(session: Session, verb: str, row: SecondOpinion, item: ReviewItem, now: datetime, **detail: Any) -> None:
    audit.record(
        session, SYSTEM, verb, row.decision_id, now=now, agent=row.agent, case_id=item.case_id,
        decision_id=row.decision_id, **detail,
    )  # fmt: skip
    send_after_commit(session, "reviews:changed")
