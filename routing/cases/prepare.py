"""
From a request to the rows that will be stored: validates against the agent's schema, decides, digests.

No I/O: everything it needs is in the snapshot. The live endpoint, the bulk ways in and the replay all
come through here, so that none of them can route differently.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from kit.ids import new_id
from rollout.domain.phase import Lane, Phase, Route
from rollout.domain.policy import Policy
from routing.cases.schemas import CaseIn, confidence_of
from routing.domain.decide import Answer, Case, decide
from routing.snapshot import AgentEntry, Snapshot

_MATERIAL = ("case_id", "version", "output", "input", "segment", "action", "amount", "risk", "attributes", "signals")

Key = tuple[str, str, str, int]  # agent, case_id, version, attempt


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision on its way into the database, with its review item where a person must look."""

    row: dict[str, Any]
    item: dict[str, Any] | None

    @property
    def key(self) -> Key:
        row = self.row
        return row["agent"], row["case_id"], row["version"], row["attempt"]


def prepare(snapshot: Snapshot, agent: AgentEntry, case: CaseIn, *, secret: bytes, now: datetime) -> Entry:
    """Decide a case and lay out its rows."""
    confidence, given = confidence_of(case.confidence)
    valid = agent.output_valid(case.output)
    policy = snapshot.policies.get((agent.name, case.version))
    policy = policy.at(now) if policy is not None else None
    view = Case(
        case_id=case.case_id,
        confidence=confidence,
        confidence_state="invalid" if given is not None else "missing" if confidence is None else "valid",
        output_valid=valid,
        segment=case.segment,
        action=case.action,
        amount=case.amount,
        risk=case.risk,
    )
    answer = decide(policy, view, secret)
    row = _row(agent, case, policy, answer, now)
    row |= {"confidence": confidence, "confidence_given": given, "output_valid": valid}
    looked_at = policy is not None and (answer.route is Route.REVIEW or answer.lane is Lane.AUDIT)
    return Entry(row, _item(row, policy) if looked_at and policy is not None else None)


def _row(agent: AgentEntry, case: CaseIn, policy: Policy | None, answer: Answer, now: datetime) -> dict[str, Any]:
    by_confidence = policy is not None and policy.phase in {Phase.CONFIDENCE, Phase.FULL}
    finite = case.amount is not None and abs(case.amount) < float("inf")
    return {
        "id": new_id(),
        "agent": agent.name,
        "case_id": case.case_id,
        "version": case.version,
        "attempt": case.attempt,
        "body_digest": digest(case),
        "input": case.input,
        "output": case.output,
        "segment": case.segment,
        "action": case.action,
        "amount": case.amount if finite else None,
        "risk": case.risk,
        "attributes": case.attributes,
        "signals": case.signals,
        "trace": case.trace,
        "usage": case.usage,
        "occurred_at": case.occurred_at,
        "route": answer.route.value,
        "lane": answer.lane.value,
        "reasons": [{"code": reason.code, "words": reason.words} for reason in answer.reasons],
        "rollout_id": policy.rollout_id if policy else None,
        "policy_revision": policy.revision if policy else None,
        "phase": policy.phase.value if policy else None,
        "epoch": policy.epoch if policy else None,
        "threshold": answer.threshold,
        "ramp_share": policy.ramp_share if policy and by_confidence else None,
        "audit_probability": answer.audit_probability,
        "decided_at": now,
        "outcome": None,
        "outcome_output": None,
        "outcome_at": None,
        "outcome_detail": None,
        "superseded_by": None,
        "label": None,
        "label_severity": None,
        "label_source": None,
        "unsettled": True,
        "counted_as": None,
    }


def _item(row: dict[str, Any], policy: Policy) -> dict[str, Any]:
    return {
        "id": new_id(),
        "decision_id": row["id"],
        "agent": row["agent"],
        "version": row["version"],
        "rollout_id": policy.rollout_id,
        "case_id": row["case_id"],
        "kind": "audit" if row["lane"] == Lane.AUDIT else "review",
        "level": 1,
        "segment": row["segment"],
        "priority": 1 if row["risk"] in policy.rules.review_risks and row["risk"] else 0,
        "fingerprint": fingerprint(row["input"], row["output"], row["action"]),
        "created_at": row["decided_at"],
        "due_at": row["decided_at"] + timedelta(hours=policy.rules.review_within_hours),
        "state": "waiting",
        "claimed_by": None,
        "claimed_at": None,
        "claimed_until": None,
        "ended_at": None,
    }


def canonical(value: Any) -> bytes:
    """JSON with sorted keys: the order in which somebody wrote an object does not make it another one."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same; SQLite gives back a lone 12.0 as 12."""
    numbers = type(one) in {int, float} and type(other) in {int, float}
    return bool(one == other) if numbers else canonical(one) == canonical(other)


def digest(case: CaseIn) -> str:
    """Tells a retry from another case; trace, usage and the time it happened may differ in a retry."""
    material = {name: getattr(case, name) for name in _MATERIAL}
    for name in ("confidence", "amount"):  # either may be NaN, which JSON would make the same as nothing
        material[name] = repr(getattr(case, name))
    return hashlib.sha256(canonical(material)).hexdigest()


def fingerprint(shown_input: Any, output: Any, action: str | None) -> str:
    """Of what a reviewer is shown; a ruling that names another one does not count."""
    return hashlib.sha256(canonical([shown_input, output, action])).hexdigest()
