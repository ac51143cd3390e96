"""A decision as plain JSON, for what libraries keep between two runs of the same step, and back."""

from __future__ import annotations

import json
from typing import Any

from phasegate_client.answers import Expected, Reply, read_decision
from phasegate_client.decisions import Decision, hand_to_a_person
from phasegate_client.errors import PhasegateError, Unanswered
from phasegate_client.json_text import as_json


def keep(decision: Decision, output: Any) -> dict[str, Any]:
    """A doubt is kept as well: somebody has been handed the case for it."""
    if not decision.certain and not decision.is_waiting:
        words = str(decision.error) if decision.error is not None else decision.why
        about = {name: getattr(decision, name) for name in ("agent", "case_id", "version", "attempt")}
        return {"doubt": words, "about": about, "output": _plain(output)}
    return {"decision": _body(decision), "output": _plain(output)}


def decision(kept: dict[str, Any]) -> Decision:
    if "doubt" in kept:
        return hand_to_a_person(Unanswered(kept["doubt"]), **kept["about"])
    return read_decision(Reply(200, json.dumps(kept["decision"]).encode()), Expected())


def _plain(output: Any) -> Any:
    try:
        return as_json(output, "output", words_for_non_finite=False)
    except PhasegateError:
        return None  # it was not decided on either


def _body(decision: Decision) -> dict[str, Any]:
    """As the API would tell it."""
    audit, outcome = decision.audit_probability, decision.outcome
    body: dict[str, Any] = {
        name: as_json(getattr(decision, name), name)
        for name in (
            "id", "agent", "case_id", "version", "attempt", "route", "policy_revision", "phase", "threshold",
            "ramp_share", "decided_at",
        )
    }  # fmt: skip
    body["reasons"] = [{"code": reason.code, "words": reason.words} for reason in decision.reasons]
    body["status"] = "final" if decision.is_final else "waiting"
    body["audit"] = None if audit is None else {"probability": audit}
    body["outcome"] = outcome and {
        name: as_json(getattr(outcome, name), name)
        for name in ("state", "output", "reason_code", "note", "decided_by", "at", "edited")
    }
    return body
