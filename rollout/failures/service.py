"""
Failures: reported, investigated, closed. An open critical one stops advancing; closing says what it was.

Whoever closes a failure takes a brake off, so it takes more than being allowed to report one.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from governance.actors import SYSTEM, Actor
from governance.audit import service as audit
from kit.db import send_after_commit
from kit.errors import Conflict, Invalid, Place
from kit.ids import new_id
from rollout.domain.phase import Severity
from rollout.failures.tables import Failure
from rollout.versions.tables import Rollout

LOOK = "rollout.look"


class FailureClosed(Conflict):
    code = "failure-closed"
    title = "The failure is closed"


def report(
    session: Session,
    *,
    agent: str,
    version: str,
    rollout_id: UUID | None,
    severity: str,
    description: str,
    decision_id: UUID | None = None,
    case_id: str | None = None,
    shown_input: Any = None,
    correct_output: Any = None,
    failure_id: UUID | None = None,
    actor: Actor,
    now: datetime,
) -> Failure:
    """Write down that something went wrong in production. Nothing is asked of whoever reports it but a description."""
    actor.require("report", agent)
    failure = Failure(
        id=failure_id or new_id(),
        agent=agent,
        version=version,
        rollout_id=rollout_id,
        decision_id=decision_id,
        case_id=case_id,
        severity=Severity(severity).value,
        description=description,
        input=shown_input,
        correct_output=correct_output,
        state="open",
        cause="",
        reported_at=now,
        reported_by=actor.name,
    )
    session.add(failure)
    session.flush()  # so that whoever judges in this transaction counts it
    audit.record(
        session, actor, "failure.reported", failure.id, now=now, agent=agent, version=version,
        decision_id=decision_id, case_id=case_id, severity=severity, description=description,
    )  # fmt: skip
    send_after_commit(session, LOOK)
    return failure


def record_breach(session: Session, rollout: Rollout, description: str, *, now: datetime) -> Failure:
    """What a guardrail measured, as a failure that somebody has to look into. Severe, and never closed by itself."""
    return report(
        session,
        agent=rollout.agent,
        version=rollout.version,
        rollout_id=rollout.id,
        severity=Severity.SEVERE,
        description=description,
        actor=SYSTEM,
        now=now,
    )


def investigate(session: Session, failure: Failure, cause: str, *, actor: Actor, now: datetime) -> Failure:
    """Somebody looks into it, with what is known so far. It still counts as open."""
    actor.require("configure", failure.agent)
    _refuse_closed(failure)
    failure.state, failure.cause = "investigating", cause
    audit.record(
        session, actor, "failure.investigated", failure.id, now=now, agent=failure.agent, cause=cause
    )  # fmt: skip
    return failure


def close(session: Session, failure: Failure, cause: str, *, actor: Actor, now: datetime) -> Failure:
    """It is understood. What it was is part of the record, and the brake it put on comes off."""
    actor.require("configure", failure.agent)
    _refuse_closed(failure)
    if not cause.strip():
        place = Place("cause", "it is empty", "say what the cause was and what was done about it")
        raise Invalid("cause: it is empty", places=[place])
    failure.state, failure.cause, failure.closed_at = "closed", cause, now
    audit.record(session, actor, "failure.closed", failure.id, now=now, agent=failure.agent, cause=cause)
    send_after_commit(session, LOOK)
    return failure


def _refuse_closed(failure: Failure) -> None:
    if failure.state == "closed":
        raise FailureClosed(f"failure {failure.id} was closed on {failure.closed_at:%Y-%m-%d}")
