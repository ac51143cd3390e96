"""
From a request to the rows that will be stored: validates against the agent's schema, decides, digests.

No I/O: everything it needs is in the snapshot. The live endpoint, the bulk ways in and the replay all
come through here, so that none of them can route differently.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from kit.ids import new_id
from rollout.domain.phase import Lane, Phase, Route
from rollout.domain.policy import Policy
from routing.cases.schemas import CaseIn, confidence_of
from routing.domain.decide import Answer, Case, asked_for, decide, handed_over, unreadable
from routing.domain.sampling import ASSISTED, BLIND, blind_position, second_position
from routing.snapshot import AgentEntry, Snapshot

_MATERIAL = ("case_id", "version", "output", "input", "segment", "action", "risk", "attributes", "signals")

_STORABLE = range(-(2**63), 2**64)
_BEYOND_FLOATS = 10**300

Key = tuple[str, str, str, int]  # agent, case_id, version, attempt


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision on its way into the database, with its review item where a person must look."""

    row: dict[str, Any]
    item: dict[str, Any] | None
    case: CaseIn
    snapshot: Snapshot
    """What it was decided by; a newer one may decide otherwise until it is stored."""
    policy: Policy | None
    """As it held then."""

    @property
    def key(self) -> Key:
        row = self.row
        return row["agent"], row["case_id"], row["version"], row["attempt"]


def prepare(snapshot: Snapshot, agent: str, case: CaseIn, *, secret: bytes, now: datetime) -> Entry:
    """Decide a case and lay out its rows."""
    confidence, given = confidence_of(case.confidence)
    entry = snapshot.agents.get(agent)
    valid = entry.output_valid(case.output) if entry is not None else None
    policy = snapshot.policies.get((agent, case.version)) if entry is not None else None
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
        output=case.output,
        shown_input=case.input,
    )
    answer = _unreadable(snapshot, agent, case.version) or decide(policy, view, secret)
    if case.handed_over:
        answer = handed_over(answer)
    if case.human_loop:
        answer = asked_for(answer)
    row = _row(agent, case, policy, answer, now)
    row |= {"confidence": confidence, "confidence_given": given, "output_valid": valid}
    looked_at = policy is not None and (answer.route is Route.REVIEW or answer.lane is Lane.AUDIT)
    item = (
        _item(row, policy, entry.settings.second_line_at, _arm(row, case, policy, entry, secret))
        | _second(row, policy, entry, secret)
        if looked_at and policy and entry
        else None
    )
    return Entry(row, item, case, snapshot, policy)


def prepare_again(entry: Entry, snapshot: Snapshot, *, secret: bytes, now: datetime) -> Entry:
    """The same case by another snapshot or at another time; as it was where nothing changed for it."""
    agent, version, policy = entry.row["agent"], entry.case.version, entry.policy
    holds = policy is None or policy.glass is None or policy.at(now) == policy
    known = entry.snapshot is snapshot or _known_of(entry.snapshot, agent, version) == _known_of(
        snapshot, agent, version
    )
    return entry if holds and known else prepare(snapshot, agent, entry.case, secret=secret, now=now)


def _known_of(snapshot: Snapshot, agent: str, version: str) -> tuple[Any, ...]:
    policy = snapshot.policies.get((agent, version))
    entry = snapshot.agents.get(agent)
    return (
        (policy.rollout_id, policy.revision) if policy is not None else snapshot.broken_policies.get((agent, version)),
        entry.settings.output_schema if entry is not None else snapshot.broken_agents.get(agent),
    )


def _unreadable(snapshot: Snapshot, agent: str, version: str) -> Answer | None:
    if agent in snapshot.broken_agents:
        return unreadable("agent")
    return unreadable("policy") if (agent, version) in snapshot.broken_policies else None


def _row(agent: str, case: CaseIn, policy: Policy | None, answer: Answer, now: datetime) -> dict[str, Any]:
    by_confidence = policy is not None and policy.phase in {Phase.CONFIDENCE, Phase.FULL}
    finite = case.amount is not None and abs(case.amount) < float("inf")
    return {
        "id": new_id(),
        "agent": agent,
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
        "several_verdicts": False,
    }


def _arm(
    row: dict[str, Any], case: CaseIn, policy: Policy, agent: AgentEntry, secret: bytes
) -> tuple[str, float | None]:
    """Whether the reviewer answers first, and how probable that was; None where nobody can be asked."""
    share = agent.settings.supervision.blind_share
    if share == 0.0:
        return ASSISTED, share
    if case.human_loop or not agent.can_ask_first(row["output"]) or _is_in(row["output"], row["input"]):
        return ASSISTED, None
    drawn = blind_position(secret, policy.rollout_id, row["case_id"]) < share
    return BLIND if drawn else ASSISTED, share


def _second(row: dict[str, Any], policy: Policy, agent: AgentEntry, secret: bytes) -> dict[str, Any]:
    """Whether somebody else is asked as well, once it was ruled on, and how probable that was."""
    share = agent.settings.supervision.second_opinion_share
    drawn = share > 0.0 and second_position(secret, policy.rollout_id, row["case_id"]) < share
    return {"seconded": drawn, "second_probability": share}


def _is_in(output: Any, shown: Any) -> bool:
    """
    Whether an output that has parts stands in what is shown with it: whole, or in the words in which a graph asks
    about an action.
    """
    if not isinstance(output, (dict, list)) or shown is None:
        return False
    return (isinstance(shown, dict) and "asked" in shown) or canonical(output) in canonical(shown)


def _item(row: dict[str, Any], policy: Policy, second_line_at: float, arm: tuple[str, float | None]) -> dict[str, Any]:
    within = policy.rules.review_within(row["segment"])
    return {
        "id": new_id(),
        "decision_id": row["id"],
        "agent": row["agent"],
        "version": row["version"],
        "rollout_id": policy.rollout_id,
        "case_id": row["case_id"],
        "kind": "audit" if row["lane"] == Lane.AUDIT else "review",
        "shown_as": None,
        "not_for": None,
        "level": 1,
        "segment": row["segment"],
        "priority": 1 if row["risk"] in policy.rules.review_risks and row["risk"] else 0,
        "fingerprint": fingerprint(row["input"], row["output"], row["action"]),
        "created_at": row["decided_at"],
        "due_at": row["decided_at"] + within,
        "escalates_at": row["decided_at"] + within * second_line_at,
        "state": "waiting",
        "claimed_by": None,
        "claimed_at": None,
        "claimed_until": None,
        "ahead": False,
        "concludes_at": None,
        "ended_at": None,
        "expires_at": None,
        "arm": arm[0],
        "arm_probability": arm[1],
    }


def canonical(value: Any) -> bytes:
    """JSON with sorted keys: the order in which somebody wrote an object does not make it another one."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same; SQLite gives back a lone 12.0 as 12."""
    numbers = type(one) in {int, float} and type(other) in {int, float}
    return bool(one == other) if numbers else canonical(one) == canonical(other)


def digest(case: CaseIn) -> str:
    """
    Tells a retry from another case; trace, usage and the time it happened may differ in a retry, and that the agent
    has handed it over meanwhile.
    """
    material = {name: _plain(getattr(case, name)) for name in _MATERIAL}
    for name in ("confidence", "amount"):  # either may be NaN, which JSON would make the same as nothing
        value = getattr(case, name)
        number = _numeral(value)
        material[name], material[f"{name}_number"] = value if number is None else None, number
    return hashlib.sha256(canonical(material)).hexdigest()


def _plain(value: Any) -> Any:
    """A lone 12.0 is the same answer as 12: one of the databases knows no difference between them."""
    return int(value) if isinstance(value, float) and value.is_integer() and int(value) in _STORABLE else value


def _numeral(value: Any) -> str | None:
    """A number in words that do not tell 1 from 1.0, nor -0.0 from 0; None for what is none, a truth value too."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return repr(float(value) + 0.0) if abs(value) < _BEYOND_FLOATS or isinstance(value, float) else repr(value)


def fingerprint(shown_input: Any, output: Any, action: str | None) -> str:
    """Of what a reviewer is shown; a ruling that names another one does not count."""
    return hashlib.sha256(canonical([shown_input, output, action])).hexdigest()
