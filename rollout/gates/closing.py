"""Closing a segment that is shown to do too badly: its cases go to people, and the rest of the version goes on."""

from datetime import datetime

from sqlalchemy.orm import Session

from governance.actors import SYSTEM
from governance.audit import service as audit
from rollout.domain import words
from rollout.domain.judge import Judgement
from rollout.domain.phase import Standing
from rollout.failures import service as failures
from rollout.gates.tables import EvidenceSnapshot
from rollout.versions import steps
from rollout.versions.tables import Rollout

SEGMENT_CLOSED = "segment_closed"


def close_segments(
    session: Session, rollout: Rollout, judgement: Judgement, snapshot: EvidenceSnapshot, now: datetime
) -> None:
    """
    The next policy revision, in which no case of these segments goes alone. Nothing opens them again but an owner.

    Written down as a failure, like a demotion, so that somebody looks for the cause.
    """
    found = {
        str(part.segment): f"{words.segment(part.segment)}: {part.words}"
        for result in judgement.guardrails
        for part in result.segments
        if part.breached
    }
    if not found or rollout.standing == Standing.RETIRED:
        return
    rules = steps.rules_of(session, rollout)
    closed = rules.model_copy(update={"thresholds": {**rules.thresholds, **dict.fromkeys(found)}})
    if closed == rules:
        return
    breaches = " ".join(found.values())
    names = ", ".join(words.segment(segment) for segment in found)
    failures.record_breach(session, rollout, f"A guardrail closed a segment in {rollout.phase}. {breaches}", now=now)
    steps.note(session, rollout, SEGMENT_CLOSED, actor=SYSTEM, now=now, reason=breaches, evidence_id=snapshot.id)
    cause = f"closed on evidence {snapshot.id}: {names}"
    row = steps.write_policy(session, rollout, rules=closed, actor=SYSTEM, now=now, cause=cause)
    audit.record(
        session, SYSTEM, "segment.closed", rollout.id, now=now, agent=rollout.agent, version=rollout.version,
        segments=sorted(found), reason=breaches, evidence_id=snapshot.id, revision=row.revision,
    )  # fmt: skip
