"""A stored decision as the body of an answer, made without the models that describe it in the documents."""

from typing import Any

import orjson

from routing.cases.outcomes import outcome_of
from routing.cases.tables import Decision


def decision_body(row: Decision) -> dict[str, Any]:
    """What `DecisionOut` says of a row, to be written by `to_json`."""
    outcome = outcome_of(row)
    return {
        "id": row.id,
        "agent": row.agent,
        "case_id": row.case_id,
        "version": row.version,
        "attempt": row.attempt,
        "route": row.route,
        "reasons": row.reasons,
        "policy_revision": row.policy_revision,
        "phase": row.phase,
        "threshold": row.threshold,
        "ramp_share": row.ramp_share,
        "audit": {"probability": row.audit_probability or 0.0} if row.lane == "audit" else None,
        "status": "waiting" if row.route == "review" and row.outcome is None else "final",
        "outcome": outcome.model_dump() if outcome is not None else None,
        "decided_at": row.decided_at,
    }


def to_json(body: Any) -> bytes:
    """Ids as texts, times in UTC with a Z."""
    return orjson.dumps(body, option=orjson.OPT_UTC_Z)
