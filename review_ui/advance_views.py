"""The panel that gives autonomy: what would change, on which evidence, what was checked, who signs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from review_ui import words
from review_ui.evidence_views import COUNTED
from review_ui.pages import Viewer
from rollout.agents.tables import Agent
from rollout.domain.approval import Approval, Capacity, Evidence, Person, Ruling, State, may_sign
from rollout.domain.phase import Phase
from rollout.domain.plan import Plan
from rollout.domain.policy import Rules
from rollout.gates import judging, queries, signing
from rollout.gates.signing import Asked
from rollout.gates.tables import EvidenceSnapshot
from rollout.versions import steps
from rollout.versions.tables import Rollout


@dataclass(frozen=True, slots=True)
class Check:
    ok: bool
    words: str


@dataclass(frozen=True, slots=True)
class Signer:
    who: str
    aside: str
    state: str  # signed | refused | waiting | not allowed | asked


@dataclass(frozen=True, slots=True)
class AdvancePanel:
    title: str
    target: str
    changes: list[str]
    evidence_id: str
    phase: str
    version: str
    cases: str
    taken_at: datetime | None
    valid_until: datetime | None
    checks: list[Check]
    signers: list[Signer]
    signed: str
    approval: str
    may_sign: bool
    may_ask: bool
    why_not: str


def panel_of(
    session: Session, agent: Agent, rollout: Rollout, viewer: Viewer, now: datetime, names: dict[str, str]
) -> AdvancePanel | None:
    """The request that is open, else the newest evidence; None for a version that goes nowhere."""
    plan = steps.plan_of(session, rollout)
    newest = queries.find_evidence(session, rollout.evidence_id) if rollout.evidence_id is not None else None
    if newest is None:
        return None
    present = Evidence.of("", judging.judge_now(session, rollout, now))
    asked = _asked(session, agent, rollout, plan, newest, present, now)
    if asked is None or plan is None:
        return _not_yet(rollout, newest, plan)
    return _with_signatures(session, asked, rollout, plan, viewer, asked.state(present, now), names)


def _asked(
    session: Session,
    agent: Agent,
    rollout: Rollout,
    plan: Plan | None,
    newest: EvidenceSnapshot,
    present: Evidence,
    now: datetime,
) -> Asked | None:
    if plan is None:
        return None
    waiting = [
        asked
        for asked in signing.open_requests(session, rollout, agent, plan)
        if asked.state(present, now).state is State.WAITING
    ]
    if waiting:
        return waiting[0]
    if newest.verdict != "advance" or newest.body.get("without_signature"):
        return None
    return signing.request_on(session, agent, plan, newest)


def _not_yet(rollout: Rollout, newest: EvidenceSnapshot, plan: Plan | None) -> AdvancePanel | None:
    target = _next_step(rollout, plan)
    if target is None:
        return None
    return AdvancePanel(
        title=f"Not yet: {target}",
        target=target,
        changes=[],
        evidence_id=str(newest.id),
        phase=newest.phase,
        version=rollout.version,
        cases=_cases(newest.body),
        taken_at=newest.at,
        valid_until=None,
        checks=checks_of(newest.body),
        signers=[],
        signed="",
        approval="",
        may_sign=False,
        may_ask=False,
        why_not="Signing opens when everything above is in order.",
    )


def _next_step(rollout: Rollout, plan: Plan | None) -> str | None:
    phase = Phase(rollout.phase)
    ramp = plan.phase(phase).steps if plan is not None else (1.0,)
    if rollout.ramp_step + 1 < len(ramp):
        return f"{words.word(phase.value)} at {words.amount(ramp[rollout.ramp_step + 1], 'rate')}"
    return words.word(phase.next.value) if phase.next is not None else None


def _with_signatures(
    session: Session,
    asked: Asked,
    rollout: Rollout,
    plan: Plan,
    viewer: Viewer,
    approval: Approval,
    names: dict[str, str],
) -> AdvancePanel:
    request, body = asked.request, asked.snapshot.body
    target = request.evidence.target
    assert target is not None
    permission = may_sign(Person(viewer.login), request)
    answered = {row.login for row in asked.rows if row.answer != signing.ASKED}
    open_for = approval.state in {State.WAITING, State.APPROVED}
    signs = open_for and permission.capacity is not None and viewer.may("advance") and viewer.login not in answered
    given = sum(row.answer == Ruling.SIGNED for row in asked.rows)
    asks = not asked.is_asked and not signs and (viewer.may("advance") or viewer.may("configure"))
    return AdvancePanel(
        title=f"Advance to {target.words}",
        target=target.words,
        changes=what_changes(rollout, plan, steps.rules_of(session, rollout), target.phase, target.share),
        evidence_id=str(asked.snapshot.id),
        phase=asked.snapshot.phase,
        version=rollout.version,
        cases=_cases(body),
        taken_at=asked.snapshot.at,
        valid_until=request.valid_until,
        checks=checks_of(body),
        signers=_signers(asked, viewer, names),
        signed=f"{given} of {len(request.needs)} signed",
        approval=approval.words,
        may_sign=signs,
        may_ask=asks and open_for,
        why_not="" if signs else permission.words if permission.capacity is None else approval.words,
    )


def what_changes(rollout: Rollout, plan: Plan, rules: Rules, phase: Phase, share: float) -> list[str]:
    """In words that need no knowledge of the machine: who does what from then on."""
    del plan
    threshold = f"with a confidence of {rules.threshold:g} or more" if rules.threshold is not None else ""
    part = "all of these" if share >= 1 else f"{words.amount(share, 'rate')} of these"
    match phase:
        case Phase.SHADOW:
            return ["Its outputs are recorded on real work. People go on as before and see nothing of them."]
        case Phase.SUPERVISED:
            return ["It drafts for people. Nothing goes out before a person has ruled on it."]
        case Phase.CONFIDENCE | Phase.FULL if not threshold:
            return ["No threshold is set, so every case still goes to a person until the policy has one."]
        case Phase.CONFIDENCE | Phase.FULL:
            grown = "The share grows to" if Phase(rollout.phase) is phase else "It starts with"
            return [
                f"Cases in scope {threshold} go through without a person. {grown} {part}, always the same ones.",
                (
                    f"{words.amount(rules.audit_rate, 'rate')} of them are audited afterwards. "
                    "Everything else stays with people."
                ),
            ]
    return []


def checks_of(body: dict[str, Any]) -> list[Check]:
    """What was looked at, what is in order and what is not."""
    gates, guards, items = body.get("gates", []), body.get("guardrails", []), body.get("readiness", [])
    passed = sum(gate["verdict"] == "pass" for gate in gates)
    fired = [guard for guard in guards if guard.get("breached")]
    checks = []
    if gates:
        checks.append(Check(passed == len(gates), f"{passed} of {len(gates)} gates pass"))
    if guards:
        said = "No guardrail fired" if not fired else f"{words.plural(len(fired), 'guardrail')} fired"
        checks.append(Check(not fired, said))
    if items:
        done = sum(bool(item.get("done")) for item in items)
        checks.append(Check(done == len(items), f"Readiness: {done} of {len(items)} answered yes, with a link"))
    told = ("gate_", "guardrail_", "readiness_", "all_pass", "last_phase")
    others = [reason for reason in body.get("reasons", []) if not reason["code"].startswith(told)]
    return [*checks, *(Check(ok=False, words=" ".join(_sentences(reason))) for reason in others)]


def _sentences(reason: dict[str, Any]) -> list[str]:
    parts = (reason["words"], reason.get("what_would_change") or "")
    return [words.sentence(part) for part in parts if part]


def _cases(body: dict[str, Any]) -> str:
    counted = [gate["cases"] for gate in body.get("gates", []) if gate.get("kind") in COUNTED]
    return words.plural(max(counted), "case") if counted and max(counted) else "No case counted yet"


def _signers(asked: Asked, viewer: Viewer, names: dict[str, str]) -> list[Signer]:
    request = asked.request
    rows = {row.login: row for row in asked.rows}
    signers = []
    if Capacity.OWNER in request.needs:
        signers.append(_signer(request.owner, "owner", rows.get(request.owner), viewer, names))
    if Capacity.SECOND in request.needs:
        signers.append(_second(asked, viewer, names))
    if asked.is_asked and request.asked_by not in {request.owner, request.second}:
        name = names.get(request.asked_by, request.asked_by)
        signers.append(Signer(name, "asked for it, so may not be the second person", "not allowed"))
    return signers


def _second(asked: Asked, viewer: Viewer, names: dict[str, str]) -> Signer:
    request = asked.request
    given = next((row for row in asked.rows if row.capacity == Capacity.SECOND), None)
    login = given.login if given is not None else request.second
    if login is None:
        return Signer("A second person", "owner or lead, who did not ask for it", "waiting")
    return _signer(login, "second person", given, viewer, names)


def _signer(login: str, role: str, row: Any, viewer: Viewer, names: dict[str, str]) -> Signer:
    aside = "you" if login == viewer.login else role
    who = f"{names.get(login, login)}, {role}" if aside == "you" else names.get(login, login)
    if row is None or row.answer == signing.ASKED:
        return Signer(who, aside, "waiting")
    said = f"{aside}: {row.reason}" if row.reason else aside
    return Signer(who, said, row.answer)
