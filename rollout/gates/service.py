"""
Looking at rollouts, and taking them up on evidence that people have signed.

Every look judges anew. Measured harm takes a phase away by itself, whatever else is going on; upwards nothing
happens without the signatures the plan asks for, given for that very evidence and checked once more at the moment
the step is taken.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from governance.actors import SYSTEM, Actor
from governance.audit import service as audit
from rollout.agents.queries import lock_agent
from rollout.agents.tables import Agent
from rollout.domain import verdict
from rollout.domain.approval import Approval, Evidence, Ruling, State
from rollout.domain.judge import Judgement
from rollout.domain.plan import Plan
from rollout.domain.totals import Counts
from rollout.domain.verdict import Conclusion
from rollout.failures import service as failures
from rollout.gates import closing, glass, judging, queries, signing
from rollout.gates.schemas import RolloutStatus
from rollout.gates.signing import ASKED, Asked, AskedAlready, EvidenceChanged, GateNotPassed, NotTheSigner
from rollout.gates.status import status_of
from rollout.gates.tables import EvidenceSnapshot
from rollout.versions import service as versions
from rollout.versions import steps
from rollout.versions.tables import PhaseChange, Rollout


class TotalKey(NamedTuple):
    """Where a case is counted: `day` is the UTC day of its decision."""

    rollout_id: UUID
    epoch: int
    lane: str
    segment: str
    day: date


@dataclass(frozen=True, slots=True)
class Answered:
    """Where a request stands after somebody asked or answered, and the step if it was taken thereby."""

    asked: Asked
    approval: Approval
    change: PhaseChange | None


def count(session: Session, deltas: Mapping[TotalKey, Counts]) -> None:
    """Add to the totals. Always in the same order, so that two who count do not wait for each other in a circle."""
    rows = [{**key._asdict(), **asdict(deltas[key])} for key in sorted(deltas) if deltas[key] != Counts()]
    if rows:
        queries.add_to_totals(session, rows)


def digest_of(body: Mapping[str, Any]) -> str:
    """What the digest of an evidence snapshot must be, from its body."""
    return verdict.digest_of(body)


def look(session: Session, rollout: Rollout, *, now: datetime, sparing: bool = False) -> EvidenceSnapshot:
    """
    Judge a rollout now, keep what was judged, and do what follows without people.

    That is demotion on measured harm, closing a segment where the harm is one segment's, and a ramp step where
    the plan lets it happen by itself.
    """
    lock_agent(session, rollout.agent)
    session.refresh(rollout)  # somebody may have moved it while we waited for our turn
    glass.end_if_over(session, rollout, now=now)
    judgement = judging.judge_now(session, rollout, now)
    snapshot = judging.keep(session, rollout, judgement, now, sparing=sparing)
    queries.touch(session, rollout, looked_at=now, next_look_at=judgement.next_look_at, evidence_id=snapshot.id)
    closing.close_segments(session, rollout, judgement, snapshot, now)
    if judgement.verdict is Conclusion.DEMOTE:
        _take_back(session, rollout, judgement, snapshot, now)
    elif judgement.without_signature:
        steps.ramp_up(
            session, rollout, actor=SYSTEM, now=now, evidence_id=snapshot.id,
            reason="the gates pass, and the plan lets the ramp go on by itself",
        )  # fmt: skip
    return snapshot


def ask(
    session: Session, rollout: Rollout, evidence_id: UUID, *, actor: Actor, now: datetime, reason: str = ""
) -> Answered:
    """Ask for the step that this evidence carries. Whoever asks is not the second person to sign."""
    if not actor.allows("advance"):
        actor.require("configure", rollout.agent)
    if actor.kind != "person":
        raise NotTheSigner("a step is asked for by a person; a key cannot ask")
    agent, plan, present = _now(session, rollout, now)
    asked = _asked(session, rollout, agent, plan, evidence_id, actor)
    if asked.is_asked:
        raise AskedAlready(
            f"{asked.request.asked_by} has asked for this step on this evidence", evidence_id=str(evidence_id)
        )
    _refuse_other_request(session, rollout, agent, plan, present, now, but=evidence_id)
    state = asked.state(present, now)
    signing.refuse_fallen(state)
    signing.write(session, asked, actor, capacity=ASKED, answer=ASKED, reason=reason, now=now)
    _record(session, rollout, actor, "rollout.asked", asked, now=now, reason=reason)
    return Answered(signing.request_on(session, agent, plan, asked.snapshot), state, None)


def sign(
    session: Session, rollout: Rollout, evidence_id: UUID, *, actor: Actor, now: datetime, reason: str = ""
) -> Answered:
    """
    Say yes to the step on this evidence. With the last signature it is taken, in this transaction.

    Everything is judged once more first: what was true yesterday is not enough today.
    """
    actor.require("advance", rollout.agent)
    agent, plan, present = _now(session, rollout, now)
    asked = _asked(session, rollout, agent, plan, evidence_id, actor)
    capacity = signing.capacity_of(actor, asked.request)
    signing.refuse_fallen(asked.state(present, now))
    if not asked.is_asked:
        _refuse_other_request(session, rollout, agent, plan, present, now, but=evidence_id)
    signing.write(session, asked, actor, capacity=capacity, answer=Ruling.SIGNED, reason=reason, now=now)
    _record(session, rollout, actor, "rollout.signed", asked, now=now, reason=reason, capacity=capacity)
    asked = signing.request_on(session, agent, plan, asked.snapshot)
    state = asked.state(present, now)
    if state.state is not State.APPROVED:
        return Answered(asked, state, None)
    return Answered(asked, state, _take_step(session, rollout, asked, actor=actor, now=now))


def refuse(
    session: Session, rollout: Rollout, evidence_id: UUID, *, actor: Actor, now: datetime, reason: str
) -> Answered:
    """Say no to the step on this evidence, with a reason. It takes new evidence to ask again."""
    actor.require("advance", rollout.agent)
    agent, plan, present = _now(session, rollout, now)
    asked = _asked(session, rollout, agent, plan, evidence_id, actor)
    capacity = signing.capacity_of(actor, asked.request)
    signing.refuse_fallen(asked.state(present, now))
    reason = steps.wanted_reason(reason)
    signing.write(session, asked, actor, capacity=capacity, answer=Ruling.REFUSED, reason=reason, now=now)
    steps.note(session, rollout, "refused", actor=actor, now=now, reason=reason, evidence_id=evidence_id)
    _record(session, rollout, actor, "rollout.refused", asked, now=now, reason=reason, capacity=capacity)
    asked = signing.request_on(session, agent, plan, asked.snapshot)
    return Answered(asked, asked.state(present, now), None)


def advance(
    session: Session, rollout: Rollout, evidence_id: UUID, *, actor: Actor, now: datetime, reason: str = ""
) -> Answered:
    """The button: sign where the caller may, and ask where he may only ask."""
    agent = lock_agent(session, rollout.agent)
    snapshot = queries.get_evidence(session, rollout.id, evidence_id)
    is_asked = bool(queries.signatures(session, snapshot.id))
    if is_asked or actor.name == agent.owner:
        return sign(session, rollout, evidence_id, actor=actor, now=now, reason=reason)
    return ask(session, rollout, evidence_id, actor=actor, now=now, reason=reason)


def status(session: Session, rollout: Rollout, *, now: datetime) -> RolloutStatus:
    """Where a version stands, why it is not further, and who is waited for."""
    return status_of(session, rollout, now)


def _now(session: Session, rollout: Rollout, now: datetime) -> tuple[Agent, Plan, Evidence]:
    """Agent, plan, and what the evidence says at this moment, with the rollout held for us."""
    agent = lock_agent(session, rollout.agent)
    steps.refuse_retired(rollout)
    plan = steps.plan_of(session, rollout)
    if plan is None:
        raise GateNotPassed("there is no plan, so nothing says what must be shown")
    judgement = judging.judge_now(session, rollout, now)
    return agent, plan, Evidence.of("", judgement)


def _asked(session: Session, rollout: Rollout, agent: Agent, plan: Plan, evidence_id: UUID, actor: Actor) -> Asked:
    snapshot = queries.get_evidence(session, rollout.id, evidence_id)
    asked = signing.request_on(session, agent, plan, snapshot, asked_by=actor.name)
    if asked.request.used_at is None and snapshot.body["rules_digest"] != judging.rules_digest(session, rollout):
        raise EvidenceChanged("the routing rules have changed since this evidence was taken; look again")
    return asked


def _refuse_other_request(
    session: Session, rollout: Rollout, agent: Agent, plan: Plan, present: Evidence, now: datetime, *, but: UUID
) -> None:
    """One question at a time: signatures on two snapshots of the same step would never come together."""
    for other in signing.open_requests(session, rollout, agent, plan):
        waits = other.state(present, now).state is State.WAITING
        if other.snapshot.id != but and waits:
            raise AskedAlready(
                f"{other.request.asked_by} has asked for this step already, on evidence {other.snapshot.id}; "
                "sign or refuse that",
                evidence_id=str(other.snapshot.id),
            )


def _take_step(session: Session, rollout: Rollout, asked: Asked, *, actor: Actor, now: datetime) -> PhaseChange:
    """The signed step. Its signatures are used by it."""
    target = asked.request.evidence.target
    assert target is not None
    for row in asked.rows:
        row.used_at = now
    signed = [f"{row.login} ({row.capacity})" for row in asked.rows if row.answer == Ruling.SIGNED]
    reason = next((row.reason for row in asked.rows if row.answer == Ruling.SIGNED and row.reason), "")
    words = f"signed by {', '.join(signed)}" + (f": {reason}" if reason else "")
    if target.phase == rollout.phase:
        return steps.ramp_up(session, rollout, actor=actor, now=now, reason=words, evidence_id=asked.snapshot.id)
    return steps.enter_phase(
        session, rollout, target.phase, "advanced", actor=actor, now=now, reason=words, evidence_id=asked.snapshot.id
    )


def _take_back(
    session: Session, rollout: Rollout, judgement: Judgement, snapshot: EvidenceSnapshot, now: datetime
) -> None:
    """One phase back by itself, and the failure written down so that somebody finds the cause."""
    assert judgement.target is not None
    breaches = " ".join(f"{result.name}: {result.words}" for result in judgement.guardrails if result.breached)
    failures.record_breach(session, rollout, f"A guardrail fired in {rollout.phase}. {breaches}", now=now)
    versions.demote(
        session, rollout, actor=SYSTEM, now=now, reason=f"guardrail breached. {breaches}",
        to=judgement.target.phase, evidence_id=snapshot.id,
    )  # fmt: skip


def _record(
    session: Session,
    rollout: Rollout,
    actor: Actor,
    verb: str,
    asked: Asked,
    *,
    now: datetime,
    reason: str,
    capacity: str | None = None,
) -> None:
    audit.record(
        session, actor, verb, rollout.id, now=now, agent=rollout.agent, version=rollout.version,
        evidence_id=asked.snapshot.id, evidence_digest=asked.snapshot.digest, epoch=rollout.epoch,
        target=asked.request.evidence.target.words if asked.request.evidence.target else None,
        capacity=capacity, reason=reason,
    )  # fmt: skip
