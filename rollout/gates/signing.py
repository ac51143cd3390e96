"""
Signatures as they are stored, put before the rules of `rollout.domain.approval`.

A request is one snapshot that somebody asked about; its rows say who asked, who signed and who refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from governance.actors import Actor
from kit.errors import Conflict, Forbidden
from kit.ids import new_id
from rollout.agents.tables import Agent
from rollout.domain import approval
from rollout.domain.approval import Approval, Evidence, Person, Request, Ruling, State
from rollout.domain.judge import Step
from rollout.domain.phase import Phase
from rollout.domain.plan import Plan
from rollout.domain.verdict import Conclusion
from rollout.gates import queries
from rollout.gates.tables import EvidenceSnapshot, Signature
from rollout.versions.tables import Rollout

ASKED = "asked"


class GateNotPassed(Conflict):
    code = "gate-not-passed"
    title = "The evidence does not carry this step"


class EvidenceAged(Conflict):
    code = "evidence-aged"
    title = "The evidence has aged"


class EvidenceChanged(Conflict):
    code = "evidence-changed"
    title = "The evidence has changed"


class StepRefused(Conflict):
    code = "step-refused"
    title = "The step was refused"


class SignaturesUsed(Conflict):
    code = "signatures-used"
    title = "The signatures were used"


class AlreadySigned(Conflict):
    code = "already-signed"
    title = "You have signed this already"


class AskedAlready(Conflict):
    code = "asked-already"
    title = "This step is being asked for already"


class NotTheSigner(Forbidden):
    code = "not-the-signer"
    title = "This is not yours to sign"


_FALLEN: dict[State, type[Conflict]] = {
    State.AGED: EvidenceAged,
    State.CHANGED: EvidenceChanged,
    State.REFUSED: StepRefused,
    State.USED: SignaturesUsed,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request with its stored rows."""

    snapshot: EvidenceSnapshot
    request: Request
    rows: Sequence[Signature]

    @property
    def is_asked(self) -> bool:
        return bool(self.rows)

    def given(self) -> list[approval.Signature]:
        return [
            approval.Signature(str(row.evidence_id), row.login, Ruling(row.answer), row.at, row.reason)
            for row in self.rows
            if row.answer != ASKED
        ]

    def state(self, present: Evidence | None, now: datetime) -> Approval:
        return approval.approval_state(self.request, self.given(), present, now)


def request_on(
    session: Session, agent: Agent, plan: Plan, snapshot: EvidenceSnapshot, *, asked_by: str | None = None
) -> Asked:
    """The request on a snapshot. Where nobody has asked yet, `asked_by` is who is about to."""
    evidence = evidence_of(snapshot)
    if not evidence.advances or evidence.target is None:
        raise GateNotPassed(f"this evidence says {snapshot.verdict}: {_why(snapshot.body)}")
    rows = queries.signatures(session, snapshot.id)
    request = Request(
        evidence=evidence,
        needs=approval.needed(
            plan, evidence.phase, evidence.target, without_signature=snapshot.body["without_signature"]
        ),
        valid_until=snapshot.at + timedelta(days=plan.evidence_valid_days),
        asked_by=rows[0].login if rows else asked_by or agent.owner,
        owner=agent.owner,
        second=agent.second,
        used_at=next((row.used_at for row in rows if row.used_at is not None), None),
    )
    return Asked(snapshot, request, rows)


def evidence_of(snapshot: EvidenceSnapshot) -> Evidence:
    """A stored snapshot, as far as a signature depends on it."""
    body = snapshot.body
    target = body["target"]
    return Evidence(
        id=str(snapshot.id),
        version=body["version"],
        epoch=body["epoch"],
        phase=Phase(body["phase"]),
        target=Step(Phase(target["phase"]), target["ramp_step"], target["share"]) if target else None,
        plan_digest=body["plan_digest"],
        taken_at=snapshot.at,
        advances=body["verdict"] == Conclusion.ADVANCE,
    )


def open_requests(session: Session, rollout: Rollout, agent: Agent, plan: Plan) -> list[Asked]:
    """What was asked for in the present epoch and not taken yet, the newest first."""
    return [
        request_on(session, agent, plan, snapshot)
        for snapshot in queries.evidence_asked_about(session, rollout.id, rollout.epoch)
    ]


def refuse_fallen(asked: Approval) -> None:
    """A request that has aged, changed, been refused or used is nothing to sign any more."""
    if asked.state in _FALLEN:
        raise _FALLEN[asked.state](asked.words)


def capacity_of(actor: Actor, request: Request) -> approval.Capacity:
    permission = approval.may_sign(Person(actor.name, actor.kind == "person"), request)
    if permission.capacity is None:
        raise NotTheSigner(permission.words)
    return permission.capacity


def write(
    session: Session, asked: Asked, actor: Actor, *, capacity: str, answer: str, reason: str, now: datetime
) -> Signature:
    """One row per person and snapshot: who only asked so far and signs now does it in the same row."""
    row = next((row for row in asked.rows if row.login == actor.name), None)
    if row is not None and row.answer != ASKED:
        raise AlreadySigned(f"{actor.name} has {row.answer} this on {row.at:%Y-%m-%d}; it is there once")
    if row is None:
        row = Signature(
            id=new_id(), rollout_id=asked.snapshot.rollout_id, evidence_id=asked.snapshot.id, login=actor.name
        )
        session.add(row)
    row.capacity, row.answer, row.reason, row.at = capacity, answer, reason, now
    session.flush()  # so that the rows read next are complete
    return row


def _why(body: dict[str, Any]) -> str:
    reasons = [reason["words"] for reason in body["reasons"]]
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return f"{reasons[0].rstrip('.')}{more}" if reasons else "nothing is to be done"
