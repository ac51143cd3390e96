"""Where a version stands, put together for people: the newest evidence, who is waited for, and what happened."""

from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from rollout.agents.queries import get_agent
from rollout.domain import words
from rollout.domain.approval import Approval
from rollout.domain.outlook import Outlooks
from rollout.domain.oversight import next_review_due
from rollout.domain.phase import Phase
from rollout.domain.plan import Plan
from rollout.domain.verdict import Verdict
from rollout.failures import queries as failure_queries
from rollout.gates import judging, queries, signing
from rollout.gates.schemas import (
    ApprovalOut,
    ClosedSegmentOut,
    EvidenceOut,
    EvidenceRecord,
    GateOut,
    GlassOut,
    RolloutStatus,
    SignatureOut,
    StepOut,
    evidence_fields,
)
from rollout.gates.signing import Asked
from rollout.gates.tables import EvidenceSnapshot
from rollout.oversight import queries as oversight_queries
from rollout.plans import queries as plan_queries
from rollout.versions import queries as version_queries
from rollout.versions import steps
from rollout.versions.schemas import ChangeOut
from rollout.versions.tables import Rollout

HISTORY_SHOWN = 20
_NOTHING_JUDGED: dict[str, Any] = {"reasons": [], "gates": [], "guardrails": [], "readiness": [], "target": None}


def status_of(session: Session, rollout: Rollout, now: datetime) -> RolloutStatus:
    """Reads only; what it shows was judged at the last look."""
    plan = steps.plan_of(session, rollout)
    phase = Phase(rollout.phase)
    snapshot = queries.find_evidence(session, rollout.evidence_id) if rollout.evidence_id is not None else None
    own = plan_queries.find_plan(session, rollout.plan_id) if rollout.plan_id is not None else None
    newest = plan_queries.newest(session, rollout.agent)
    history = version_queries.history(session, rollout.id, limit=HISTORY_SHOWN)
    return RolloutStatus(
        agent=rollout.agent,
        version=rollout.version,
        standing=rollout.standing,
        phase=rollout.phase,
        phase_since=rollout.phase_since,
        days_in_phase=max((now - rollout.phase_since).days, 0),
        epoch=rollout.epoch,
        ramp_step=rollout.ramp_step,
        ramp_steps=list(plan.phase(phase).steps) if plan is not None else [],
        ramp_share=steps.share_of(plan, phase, rollout.ramp_step),
        ramp_since=rollout.ramp_since,
        frozen=rollout.frozen,
        glass=_glass(session, rollout, plan),
        plan_revision=own.revision if own is not None else None,
        newest_plan_revision=newest.revision if newest is not None else None,
        policy_revision=rollout.policy_revision,
        verdict=snapshot.verdict if snapshot is not None else None,
        evidence_id=rollout.evidence_id,
        evidence_at=snapshot.seen_again_at if snapshot is not None else None,
        looked_at=rollout.looked_at,
        next_look_at=rollout.next_look_at,
        approval=_approval(session, rollout, plan, snapshot, now) if plan is not None else None,
        next_review_due=_review_due(session, rollout, plan),
        open_failures=failure_queries.open_by_severity(session, rollout.id),
        closed_segments=closed_segments(session, rollout),
        cases_in_all=queries.cases_in_all(session, rollout.id),
        history=[ChangeOut.model_validate(change) for change in history],
        **_judged(session, rollout, plan, snapshot, now),
    )


def outlooks_of(session: Session, rollout: Rollout, plan: Plan | None, now: datetime) -> Outlooks | None:
    """What forecasts of the present phase are made from."""
    if plan is None:
        return None
    totals = judging.read_totals(session, rollout, {})
    return Outlooks(totals, rollout.phase_since.date(), now.date(), plan.settle_days)


def _judged(
    session: Session, rollout: Rollout, plan: Plan | None, snapshot: EvidenceSnapshot | None, now: datetime
) -> dict[str, Any]:
    """The newest evidence; a gate that is not sure yet says when it could pass."""
    if snapshot is None:
        return _NOTHING_JUDGED
    judged = evidence_fields(snapshot.body)
    unsure = any(gate["verdict"] == Verdict.INCONCLUSIVE for gate in judged["gates"])
    outlooks = outlooks_of(session, rollout, plan, now) if unsure and snapshot.epoch == rollout.epoch else None
    if outlooks is None:
        return judged
    return judged | {"gates": [{**gate, "forecast": outlooks.of(gate)} for gate in judged["gates"]]}


def evidence_record(snapshot: EvidenceSnapshot, agent: str) -> EvidenceRecord:
    return EvidenceRecord(agent=agent, **evidence_out(snapshot).model_dump())


def newest_evidence_out(session: Session, rollout: Rollout, snapshot: EvidenceSnapshot, now: datetime) -> EvidenceOut:
    """With forecasts, if it is what the version stands on now."""
    shown = evidence_out(snapshot)
    if snapshot.id != rollout.evidence_id:
        return shown
    judged = _judged(session, rollout, steps.plan_of(session, rollout), snapshot, now)
    return shown.model_copy(update={"gates": [GateOut.model_validate(gate) for gate in judged["gates"]]})


def evidence_out(snapshot: EvidenceSnapshot) -> EvidenceOut:
    body = {"engine": None, **snapshot.body}  # those of before do not say which rules judged
    return EvidenceOut(
        id=snapshot.id,
        digest=snapshot.digest,
        at=snapshot.at,
        seen_again_at=snapshot.seen_again_at,
        **{
            name: body[name] for name in EvidenceOut.model_fields if name not in {"id", "digest", "at", "seen_again_at"}
        },
    )


def approval_out(asked: Asked, state: Approval) -> ApprovalOut:
    """A request as it stands; before anybody has asked, what it would take."""
    request, target = asked.request, asked.request.evidence.target
    assert target is not None
    return ApprovalOut(
        evidence_id=asked.snapshot.id,
        state=state.state.value if asked.is_asked else "not_asked",
        words=state.words if asked.is_asked else "Nobody has asked for it yet.",
        target=StepOut(phase=target.phase.value, ramp_step=target.ramp_step, share=target.share),
        needs=sorted(capacity.value for capacity in request.needs),
        missing=sorted(capacity.value for capacity in state.missing),
        asked_by=request.asked_by if asked.is_asked else None,
        owner=request.owner,
        second=request.second,
        valid_until=request.valid_until,
        signatures=[SignatureOut.model_validate(row) for row in asked.rows],
    )


def _approval(
    session: Session, rollout: Rollout, plan: Plan, newest: EvidenceSnapshot | None, now: datetime
) -> ApprovalOut | None:
    """The request people are asked about; or what could be asked for on the newest evidence."""
    agent = get_agent(session, rollout.agent)
    requests = signing.open_requests(session, rollout, agent, plan)
    present = signing.evidence_of(newest) if newest is not None else None
    shown = [approval_out(request, request.state(present, now)) for request in requests]
    waiting = next((approval for approval in shown if approval.state == "waiting"), None)
    if waiting is not None:
        return waiting
    if newest is not None and present is not None and present.advances:
        possible = signing.request_on(session, agent, plan, newest)
        return approval_out(possible, possible.state(present, now))
    return shown[0] if shown else None


def _glass(session: Session, rollout: Rollout, plan: Plan | None) -> GlassOut | None:
    broken = version_queries.newest_change(session, rollout.id, steps.BROKE_GLASS)
    if rollout.glass_until is None or broken is None:
        return None
    phase, step = steps.before_glass(rollout)
    back_to = StepOut(phase=phase.value, ramp_step=step, share=steps.share_of(plan, phase, step))
    return GlassOut(until=rollout.glass_until, by=broken.by, reason=broken.reason, since=broken.at, back_to=back_to)


def closed_segments(session: Session, rollout: Rollout) -> list[ClosedSegmentOut]:
    """The segments of which no case goes alone, and since when."""
    if not steps.rules_of(session, rollout).closed:
        return []
    since = steps.thresholds_of(session, rollout).closed
    return [
        ClosedSegmentOut(segment=segment, since=at, words=words.closed_since(segment, at.date()))
        for segment, at in sorted(since.items())
    ]


def _review_due(session: Session, rollout: Rollout, plan: Plan | None) -> date | None:
    if plan is None:
        return None
    first = version_queries.first_left_evaluation(session, rollout.agent)
    return next_review_due(plan.oversight, first, oversight_queries.reviews_held(session, rollout.agent))
